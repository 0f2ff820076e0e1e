"""The model of Kubernetes in place of a cluster: for rehearsals, simulations and tests."""
