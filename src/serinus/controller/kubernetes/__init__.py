"""The cluster port over a real API server, and the records of releases in it."""
