"""Our kinds on the wire: the types of each version and the one codec to the release model."""
