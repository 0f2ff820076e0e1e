"""What Kubernetes' OpenAPI says about each kind: types, list keys, patch strategies."""
