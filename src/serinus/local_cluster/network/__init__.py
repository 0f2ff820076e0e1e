"""The Service proxy: what kube-proxy does, as a TCP balancer in one process."""
