"""Routes: which requests a rule hits, who the user is, and where both lead."""
