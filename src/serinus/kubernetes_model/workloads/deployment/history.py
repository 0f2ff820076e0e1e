"""Delete old ReplicaSets beyond `revisionHistoryLimit`.

Follows pkg/controller/deployment/sync.go (cleanupDeployment) of Kubernetes 1.36.3.
"""

from __future__ import annotations

from serinus import errors
from serinus.kubernetes_model.requests import DeleteOptions, Object
from serinus.kubernetes_model.workloads.deployment import progress, revisions
from serinus.kubernetes_model.workloads.deployment.state import State
from serinus.kubernetes_model.workloads.objects import (
    REPLICA_SET,
    age_order,
    generation_of,
    is_being_deleted,
    replicas_of,
    status_count,
    uid_of,
)

_NO_LIMIT = 0x7FFFFFFF


def clean_up(state: State) -> None:
    """Delete the oldest of the old ReplicaSets that have no Pods."""
    limit = state.spec.get("revisionHistoryLimit")
    if limit is None or limit == _NO_LIMIT:
        return
    alive = [item for item in state.old() if not is_being_deleted(item)]
    excess = len(alive) - int(limit)
    alive.sort(key=lambda item: (revisions.revision_of(item), age_order(item)))
    for replica_set in alive[: max(excess, 0)]:
        if _is_in_use(replica_set):
            continue
        try:
            state.objects.delete(REPLICA_SET, replica_set, DeleteOptions(uid=uid_of(replica_set)))
        except errors.NotFound:
            continue


def clean_up_when_complete(state: State) -> None:
    """Clean up at the end of a rollout only: before, every ReplicaSet may be needed."""
    if progress.is_complete(state.deployment, state.status):
        clean_up(state)


def _is_in_use(replica_set: Object) -> bool:
    return (
        status_count(replica_set, "replicas") != 0
        or replicas_of(replica_set) != 0
        or generation_of(replica_set) > status_count(replica_set, "observedGeneration")
    )
