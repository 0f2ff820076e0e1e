"""What others say about the same pods, and what a release makes of it."""
