"""The Deployment controller, after pkg/controller/deployment of Kubernetes 1.36.3.

`reconcile` decides what kind of step it is; `rollout` moves replicas from old to new ReplicaSets,
`scaling` follows a changed size, `new_replica_set` finds or makes the one that the template wants,
`status` reports progress, `revisions` keeps the annotations and names, `limits` the arithmetic.
"""
