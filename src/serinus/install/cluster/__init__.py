"""An installation in a cluster: find it, apply it, remove it."""
