"""A Deployment's status: counts, and the conditions Available, Progressing and ReplicaFailure.

Follows pkg/controller/deployment/sync.go (calculateStatus) and progress.go of Kubernetes 1.36.3;
`kubectl rollout status` reads nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serinus.clock import Instant
from serinus.kubernetes_model import timestamps
from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads import conditions
from serinus.kubernetes_model.workloads.conditions import Condition
from serinus.kubernetes_model.workloads.deployment import limits
from serinus.kubernetes_model.workloads.deployment.state import State
from serinus.kubernetes_model.workloads.objects import (
    generation_of,
    name_of,
    replicas_of,
    status_count,
    with_status,
)

_NO_DEADLINE = 0x7FFFFFFF


def has_deadline(deployment: Object) -> bool:
    """Say whether lack of progress is to be reported at all."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return seconds is not None and seconds != _NO_DEADLINE


def condition_of(state: State) -> Mapping[str, Any] | None:
    """Return the present Progressing condition."""
    return conditions.find(state.status.get("conditions") or (), "Progressing")


def with_condition(deployment: Object, condition: Condition, now: Instant) -> Object:
    """Return the Deployment with a condition set."""
    status = deployment.get("status") or {}
    known = status.get("conditions") or ()
    updated = conditions.with_deployment_condition(known, condition, now)
    if updated is known:
        return deployment
    return with_status(deployment, {**status, "conditions": list(updated)})


def set_condition(state: State, condition: Condition) -> None:
    """Set a condition and write it, unless it says nothing new."""
    updated = with_condition(state.deployment, condition, state.now)
    if updated is not state.deployment:
        state.write(updated)


def check_paused(state: State) -> None:
    """Say that progress is not estimated while paused, and starts anew after it."""
    if not has_deadline(state.deployment):
        return
    reason = (condition_of(state) or {}).get("reason")
    if reason == "ProgressDeadlineExceeded":
        return
    paused = bool(state.spec.get("paused"))
    if paused and reason != "DeploymentPaused":
        message = "Deployment is paused"
        set_condition(state, Condition("Progressing", "Unknown", "DeploymentPaused", message))
    elif not paused and reason == "DeploymentPaused":
        message = "Deployment is resumed"
        set_condition(state, Condition("Progressing", "Unknown", "DeploymentResumed", message))


def is_complete(deployment: Object, status: Mapping[str, Any]) -> bool:
    """Say whether all wanted replicas are new and available, and no old Pod is left."""
    wanted = replicas_of(deployment)
    counts = ("updatedReplicas", "replicas", "availableReplicas")
    observed = int(status.get("observedGeneration") or 0)
    return all(int(status.get(field) or 0) == wanted for field in counts) and (
        observed >= generation_of(deployment)
    )


def report_counts(state: State) -> None:
    """Write counts and availability, and estimate no progress."""
    state.write_status(_status(state))


def report(state: State) -> None:
    """Write counts and conditions of a rollout; set when to look again for its deadline."""
    status = _status(state)
    known = status.pop("conditions", [])
    if not has_deadline(state.deployment):
        known = conditions.without(known, "Progressing")
    current = condition_of(state)
    finished = (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current is not None
        and current.get("reason") == "NewReplicaSetAvailable"
    )
    if has_deadline(state.deployment) and not finished:
        known = _with_progress(state, status, known)
    known = _with_failures(state, known)
    if known:
        status["conditions"] = list(known)
    if status == state.status:
        state.wake_at = _deadline(state)
    state.write_status(status)


def _status(state: State) -> dict[str, Any]:
    deployment = state.deployment
    sets = state.replica_sets
    available = _sum(sets, "availableReplicas")
    counts = {
        "observedGeneration": generation_of(deployment),
        "replicas": _sum(sets, "replicas"),
        "updatedReplicas": status_count(state.new(), "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(sum(replicas_of(item) for item in sets) - available, 0),
    }
    status: dict[str, Any] = {field: count for field, count in counts.items() if count}
    terminating = _terminating(sets)
    if terminating is not None:
        status["terminatingReplicas"] = terminating
    if "collisionCount" in state.status:
        status["collisionCount"] = state.status["collisionCount"]
    known = state.status.get("conditions") or ()
    status["conditions"] = list(
        conditions.with_deployment_condition(known, _availability(deployment, available), state.now)
    )
    return status


def _availability(deployment: Object, available: int) -> Condition:
    if available >= replicas_of(deployment) - limits.max_unavailable(deployment):
        message = "Deployment has minimum availability."
        return Condition("Available", "True", "MinimumReplicasAvailable", message)
    message = "Deployment does not have minimum availability."
    return Condition("Available", "False", "MinimumReplicasUnavailable", message)


def _terminating(sets: Sequence[Object]) -> int | None:
    """Add up terminating Pods; None while a ReplicaSet that was seen does not report them."""
    total = 0
    for replica_set in sets:
        status = replica_set.get("status") or {}
        if "terminatingReplicas" in status:
            total += int(status["terminatingReplicas"])
        elif status.get("observedGeneration"):
            return None
    return total


def _with_progress(
    state: State, status: Mapping[str, Any], known: conditions.Conditions
) -> conditions.Conditions:
    new = state.new()
    subject = f'Deployment "{name_of(state.deployment)}"'
    if new is not None:
        subject = f'ReplicaSet "{name_of(new)}"'
    if is_complete(state.deployment, status):
        message = f"{subject} has successfully progressed."
        condition = Condition("Progressing", "True", "NewReplicaSetAvailable", message)
        return conditions.with_deployment_condition(known, condition, state.now)
    if _has_progressed(state.status, status):
        condition = Condition(
            "Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing."
        )
        return _with_fresh_progress(known, condition, state.now)
    if _is_timed_out(state, known):
        message = f"{subject} has timed out progressing."
        condition = Condition("Progressing", "False", "ProgressDeadlineExceeded", message)
        return conditions.with_deployment_condition(known, condition, state.now)
    return known


def _with_fresh_progress(
    known: conditions.Conditions, condition: Condition, now: Instant
) -> conditions.Conditions:
    """Set the condition also when its reason stays: its update time is what the deadline reads."""
    current = conditions.find(known, "Progressing")
    text = timestamps.time(now)
    since = text
    if current is not None and current.get("status") == "True":
        since = current["lastTransitionTime"]
    times = {"lastUpdateTime": text, "lastTransitionTime": since}
    return [*conditions.without(known, "Progressing"), {**condition._asdict(), **times}]


def _has_progressed(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    def old(status: Mapping[str, Any]) -> int:
        return int(status.get("replicas") or 0) - int(status.get("updatedReplicas") or 0)

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old(after) < old(before) or any(
        int(after.get(field) or 0) > int(before.get(field) or 0) for field in grown
    )


def _is_timed_out(state: State, known: conditions.Conditions) -> bool:
    condition = conditions.find(known, "Progressing")
    if condition is None or condition["reason"] == "NewReplicaSetAvailable":
        return False
    if condition["reason"] == "ProgressDeadlineExceeded":
        return True
    return _deadline_of(state, condition) < state.now


def _deadline(state: State) -> Instant | None:
    """Return when to look whether the rollout is stuck, if it can be."""
    current = condition_of(state)
    if not has_deadline(state.deployment) or current is None:
        return None
    if is_complete(state.deployment, state.status):
        return None
    if current["reason"] == "ProgressDeadlineExceeded":
        return None
    # Strictly after the deadline, which is when it counts as missed.
    return max(_deadline_of(state, current), state.now) + 1


def _deadline_of(state: State, condition: Mapping[str, Any]) -> Instant:
    since = timestamps.parse(condition["lastUpdateTime"])
    return since + int(state.spec["progressDeadlineSeconds"]) * 1000


def _with_failures(state: State, known: conditions.Conditions) -> conditions.Conditions:
    """Show a ReplicaSet's failure on the Deployment, the new ReplicaSet's before all others."""
    new = state.new()
    for replica_set in [*([new] if new is not None else []), *state.replica_sets]:
        theirs = (replica_set.get("status") or {}).get("conditions") or ()
        failure = conditions.find(theirs, "ReplicaFailure")
        if failure is None:
            continue
        condition = Condition(
            "ReplicaFailure", failure["status"], failure["reason"], failure.get("message", "")
        )
        since = timestamps.parse(failure["lastTransitionTime"])
        return conditions.with_deployment_condition(known, condition, since)
    return conditions.without(known, "ReplicaFailure")


def _sum(sets: Sequence[Object], field: str) -> int:
    return sum(status_count(item, field) for item in sets)
