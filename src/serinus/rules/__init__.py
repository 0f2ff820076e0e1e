"""The rule language: which requests a rule is about. Pure, and without a dependency."""
