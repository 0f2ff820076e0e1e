"""Give ReplicaSets a size: one of them, or all in proportion when the Deployment was scaled.

Follows pkg/controller/deployment/sync.go (scale, scaleReplicaSet) of Kubernetes 1.36.3.
"""

from __future__ import annotations

from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads.deployment import limits, revisions
from serinus.kubernetes_model.workloads.deployment.state import State
from serinus.kubernetes_model.workloads.objects import (
    age_order,
    name_of,
    replicas_of,
    status_count,
    with_parts,
)


def resize(state: State, replica_set: Object, replicas: int, *, note_size: bool = False) -> bool:
    """Set a ReplicaSet's size, and the Deployment's size on it; say whether its size changed.

    With an unchanged size nothing is written, unless `note_size` asks for the annotations.
    """
    before = replicas_of(replica_set)
    if before == replicas and not note_size:
        return False
    resized = with_parts(replica_set, spec={"replicas": replicas})
    resized = revisions.with_size_annotations(resized, state.deployment)
    if resized == replica_set:
        return False
    stored = state.update_replica_set(resized)
    if before == replicas:
        return False
    direction = "up" if before < replicas else "down"
    state.record(
        "ScalingReplicaSet",
        f"Scaled {direction} replica set {name_of(stored)} from {before} to {replicas}",
    )
    return True


def scale(state: State) -> None:
    """Follow the Deployment's size outside of a rollout's own steps."""
    wanted = replicas_of(state.deployment)
    only = active_or_latest(state)
    if only is not None:
        resize(state, only, wanted)
        return
    if is_saturated(state):
        # An adopted ReplicaSet that is complete already: the others have no work left.
        for replica_set in reversed(state.active_old()):
            resize(state, replica_set, 0)
        return
    if limits.is_rolling_update(state.deployment):
        _scale_in_proportion(state)


def is_scaling_event(state: State) -> bool:
    """Say whether the Deployment's size changed since its active ReplicaSets were last sized."""
    wanted = replicas_of(state.deployment)
    for replica_set in state.replica_sets:
        noted = revisions.desired_replicas_of(replica_set)
        if replicas_of(replica_set) > 0 and noted is not None and noted != wanted:
            return True
    return False


def active_or_latest(state: State) -> Object | None:
    """Return the one active ReplicaSet, the newest if none is active, None if there are several."""
    active = [item for item in state.replica_sets if replicas_of(item) > 0]
    if len(active) > 1:
        return None
    if active:
        return active[0]
    new = state.new()
    if new is not None:
        return new
    return state.replica_sets[-1] if state.replica_sets else None


def is_saturated(state: State) -> bool:
    """Say whether the new ReplicaSet was sized for the present size and is all available."""
    new = state.new()
    wanted = replicas_of(state.deployment)
    return (
        new is not None
        and replicas_of(new) == wanted
        and revisions.desired_replicas_of(new) == wanted
        and status_count(new, "availableReplicas") == wanted
    )


def _scale_in_proportion(state: State) -> None:
    deployment = state.deployment
    active = [item for item in state.replica_sets if replicas_of(item) > 0]
    wanted = replicas_of(deployment)
    allowed = wanted + limits.max_surge(deployment) if wanted > 0 else 0
    to_add = allowed - sum(replicas_of(item) for item in active)
    # The largest first; among equals the newer grows first and the older shrinks first.
    active.sort(key=age_order, reverse=to_add > 0)
    active.sort(key=replicas_of, reverse=True)
    sizes: list[int] = []
    added = 0
    for replica_set in active:
        part = _proportion(replica_set, deployment, to_add, added) if to_add else 0
        sizes.append(replicas_of(replica_set) + part)
        added += part
    if active and to_add:
        sizes[0] = max(0, sizes[0] + to_add - added)
    for replica_set, size in zip(active, sizes, strict=True):
        resize(state, replica_set, size, note_size=True)


def _proportion(replica_set: Object, deployment: Object, to_add: int, added: int) -> int:
    left = to_add - added
    if left == 0:
        return 0
    fraction = _fraction(replica_set, deployment)
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def _fraction(replica_set: Object, deployment: Object) -> int:
    """Return by how much a ReplicaSet changes when it keeps its share of the allowed Pods."""
    size = replicas_of(replica_set)
    wanted = replicas_of(deployment)
    if wanted == 0:
        return -size
    allowed = wanted + limits.max_surge(deployment)
    before = revisions.max_replicas_of(replica_set) or status_count(deployment, "replicas")
    if before == 0:
        return 0
    # Half up, as Go's RoundToInt32 does with a number that is not negative.
    return (2 * size * allowed + before) // (2 * before) - size
