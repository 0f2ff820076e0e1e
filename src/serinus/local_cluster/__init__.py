"""A Kubernetes sandbox on this machine: an API server, controllers, and pods as processes."""
