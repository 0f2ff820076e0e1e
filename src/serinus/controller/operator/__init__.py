"""The operator: drives all releases of a cluster or of some namespaces, one leader at a time."""
