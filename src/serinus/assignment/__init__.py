"""Which version for this request: the same answer in every router and in the user's own code."""
