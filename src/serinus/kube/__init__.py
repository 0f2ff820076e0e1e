"""A small asynchronous Kubernetes client. It knows nothing of releases."""
