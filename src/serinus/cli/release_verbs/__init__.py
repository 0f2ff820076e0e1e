"""The verbs that change a release or a hand-made pair."""
