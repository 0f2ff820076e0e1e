"""The verbs that only look."""
