"""One reconcile of a Deployment: decide what kind of step it is, and take it.

Follows pkg/controller/deployment/deployment_controller.go (syncDeployment) of Kubernetes 1.36.3.
"""

from __future__ import annotations

from serinus.clock import Instant
from serinus.kubernetes_model.workloads import ownership
from serinus.kubernetes_model.workloads.deployment import (
    history,
    limits,
    new_replica_set,
    progress,
    rollout,
    scaling,
)
from serinus.kubernetes_model.workloads.deployment.state import State
from serinus.kubernetes_model.workloads.objects import (
    DEPLOYMENT,
    REPLICA_SET,
    Objects,
    is_being_deleted,
    uid_of,
)


def reconcile(objects: Objects, namespace: str, name: str, now: Instant) -> Instant | None:
    """Bring one Deployment a step nearer to its spec; return when to look again."""
    deployment = objects.get(DEPLOYMENT, namespace, name)
    if deployment is None:
        return None
    candidates = [
        *objects.controlled_by(REPLICA_SET, uid_of(deployment)),
        *objects.uncontrolled(REPLICA_SET, namespace),
    ]
    claimant = ownership.Claimant(objects, DEPLOYMENT, deployment)
    state = State(objects, deployment, claimant.claim(REPLICA_SET, candidates), now)
    _take_step(state)
    return state.wake_at


def _take_step(state: State) -> None:
    if is_being_deleted(state.deployment):
        new_replica_set.sync_revision(state)
        progress.report_counts(state)
        return
    progress.check_paused(state)
    new_replica_set.sync_revision(state)
    if state.spec.get("paused"):
        scaling.scale(state)
        history.clean_up(state)
        progress.report_counts(state)
    elif scaling.is_scaling_event(state):
        scaling.scale(state)
        progress.report_counts(state)
    elif limits.is_rolling_update(state.deployment):
        rollout.roll(state)
    else:
        rollout.recreate(state)
