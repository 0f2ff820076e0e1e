"""What kube-controller-manager does, as pure reconcile functions over a small store protocol.

Behaviour follows Kubernetes 1.36.3 (pkg/controller and k8s.io/endpointslice of that release). Every
controller here takes `objects: Objects` and `now`, reads, writes, and says when it wants to run
again; none of them keeps anything in memory between two runs.
"""
