"""Objects as the rows that `kubectl get` prints, column by column as Kubernetes makes them."""
