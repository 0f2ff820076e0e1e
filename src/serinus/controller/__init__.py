"""The shell around the release core: observe, reconcile, act, and the loop that drives them."""
