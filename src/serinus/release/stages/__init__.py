"""What each stage of a release does next: one function a stage, all on a `Draft`."""
