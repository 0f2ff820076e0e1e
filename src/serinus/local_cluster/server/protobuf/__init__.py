"""Bodies that Kubernetes' own clients send in protobuf."""
