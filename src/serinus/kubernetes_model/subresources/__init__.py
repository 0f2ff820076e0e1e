"""Endpoints beside an object: its scale, a pod's binding and eviction."""
