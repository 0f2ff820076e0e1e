"""The way of a write: read, default, own, check, commit."""
