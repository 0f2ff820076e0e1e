"""Move replicas from the old ReplicaSets to the new one: RollingUpdate and Recreate.

Follows pkg/controller/deployment/rolling.go and recreate.go of Kubernetes 1.36.3.
"""

from __future__ import annotations

from collections.abc import Collection

from serinus.kubernetes_model.workloads import pods
from serinus.kubernetes_model.workloads.deployment import (
    history,
    limits,
    new_replica_set,
    progress,
    scaling,
)
from serinus.kubernetes_model.workloads.deployment.state import State
from serinus.kubernetes_model.workloads.objects import POD, replicas_of, status_count, uid_of


def roll(state: State) -> None:
    """Take one step of a rolling update: grow the new ReplicaSet, or else shrink old ones."""
    if state.new() is None:
        new_replica_set.create(state)
    if not _grow_new(state) and not _shrink_old(state):
        history.clean_up_when_complete(state)
    progress.report(state)


def recreate(state: State) -> None:
    """Take one step of Recreate: all old Pods have to be gone before a new one starts."""
    shrunk = [scaling.resize(state, item, 0) for item in state.active_old()]
    if any(shrunk) or _old_pods_run(state):
        progress.report(state)
        return
    if state.new() is None:
        new_replica_set.create(state)
    new = state.new()
    if new is not None:
        scaling.resize(state, new, replicas_of(state.deployment))
    history.clean_up_when_complete(state)
    progress.report(state)


def _grow_new(state: State) -> bool:
    new = state.new()
    if new is None:
        return False
    wanted = replicas_of(state.deployment)
    current = replicas_of(new)
    size = wanted if current >= wanted else new_replica_set.replicas_for(state, current)
    return scaling.resize(state, new, size)


def _shrink_old(state: State) -> bool:
    """Scale old ReplicaSets down as far as availability allows, unhealthy replicas first."""
    new = state.new()
    active = {uid_of(item) for item in state.active_old()}
    if new is None or not active:
        return False
    total = sum(replicas_of(item) for item in state.replica_sets)
    unavailable_new = replicas_of(new) - status_count(new, "availableReplicas")
    room = total - _min_available(state) - unavailable_new
    if room <= 0:
        return False
    cleaned = _shrink_unhealthy(state, room)
    if cleaned is None:
        return False
    return _shrink_available(state, active) + cleaned > 0


def _shrink_unhealthy(state: State, room: int) -> int | None:
    """Take unavailable replicas out of old ReplicaSets: they would block the update for ever.

    None: a ReplicaSet still reports more available Pods than it wants, so its status is older than
    its size and nothing may be concluded from it. (Kubernetes fails this step with an error that it
    drops, which comes to the same.)
    """
    count = 0
    for replica_set in state.active_old():
        if count >= room:
            break
        unhealthy = replicas_of(replica_set) - status_count(replica_set, "availableReplicas")
        if unhealthy < 0:
            return None
        taken = min(room - count, unhealthy)
        if taken > 0:
            scaling.resize(state, replica_set, replicas_of(replica_set) - taken)
            count += taken
    return count


def _shrink_available(state: State, active: Collection[str]) -> int:
    """Take available replicas out of the old ReplicaSets that were active, oldest first.

    Those that were not may still report Pods that are on their way out: these do not count.
    """
    shrinking = [item for item in state.old() if uid_of(item) in active]
    available = sum(status_count(item, "availableReplicas") for item in (*shrinking, state.new()))
    room = available - _min_available(state)
    count = 0
    for replica_set in shrinking:
        taken = min(room - count, replicas_of(replica_set))
        if taken > 0:
            scaling.resize(state, replica_set, replicas_of(replica_set) - taken)
            count += taken
    return count


def _min_available(state: State) -> int:
    return replicas_of(state.deployment) - limits.max_unavailable(state.deployment)


def _old_pods_run(state: State) -> bool:
    """Say whether an old ReplicaSet has, or believes to have, a Pod that has not stopped."""
    new = state.new()
    if any(status_count(item, "replicas") > 0 for item in state.old()):
        return True
    for replica_set in state.replica_sets:
        if new is not None and uid_of(replica_set) == uid_of(new):
            continue
        owned = state.objects.controlled_by(POD, uid_of(replica_set))
        if any(not pods.is_terminal(pod) for pod in owned):
            return True
    return False
