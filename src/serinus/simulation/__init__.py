"""Production rounds over the model of Kubernetes, in virtual time, under faults that are drawn."""
