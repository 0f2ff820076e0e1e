"""The disruption controller: how many Pods of a PodDisruptionBudget may be evicted now.

Follows pkg/controller/disruption/disruption.go of Kubernetes 1.36.3. Workloads of custom resources
are not asked for their scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model import timestamps
from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads import conditions, pods
from serinus.kubernetes_model.workloads.objects import (
    DEPLOYMENT,
    POD,
    POD_DISRUPTION_BUDGET,
    REPLICA_SET,
    STATEFUL_SET,
    Event,
    Kind,
    Objects,
    controller_of,
    generation_of,
    is_being_deleted,
    labels_of,
    name_of,
    namespace_of,
    replicas_of,
    selector_of,
    uid_of,
    with_status,
)

DELETION_TIMEOUT_MS = 120_000
"""For how long an evicted Pod that is not being deleted yet counts as good as gone."""
_COMPONENT = "controllermanager"


def reconcile(objects: Objects, namespace: str, name: str, now: Instant) -> Instant | None:
    """Write how many Pods of one budget there are, must be, and may go."""
    budget = objects.get(POD_DISRUPTION_BUDGET, namespace, name)
    if budget is None:
        return None
    selected = _selected(objects, budget)
    if not selected:
        event = Event(_COMPONENT, "Normal", "NoPods", "No matching pods found")
        objects.record((POD_DISRUPTION_BUDGET, budget), event)
    disrupted = _disrupted(budget, selected, now)
    try:
        expected, desired = _expectations(objects, budget, selected)
    except errors.NotFound as error:
        _fail_safe(objects, budget, str(error), now)
        return None
    healthy = sum(
        pods.is_ready(pod) and not is_being_deleted(pod) and name_of(pod) not in disrupted
        for pod in selected
    )
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    status: dict[str, Any] = {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": generation_of(budget),
    }
    if disrupted:
        status["disruptedPods"] = disrupted
    status["conditions"] = _with_verdict(budget, allowed, now)
    if status != (budget.get("status") or {}):
        objects.update_status(POD_DISRUPTION_BUDGET, with_status(budget, status))
    due = [timestamps.parse(since) + DELETION_TIMEOUT_MS for since in disrupted.values()]
    return min(due, default=None)


def protects(budget: Object, pod: Object) -> bool:
    """Say whether a budget is about a Pod; no selector selects nothing, an empty one everything."""
    return "selector" in budget["spec"] and selector_of(POD_DISRUPTION_BUDGET, budget).matches(
        labels_of(pod)
    )


def _selected(objects: Objects, budget: Object) -> list[Object]:
    namespace = namespace_of(budget)
    wanted = (budget["spec"].get("selector") or {}).get("matchLabels")
    candidates = (
        objects.labelled(POD, namespace, wanted) if wanted else objects.list(POD, namespace)
    )
    return [pod for pod in candidates if protects(budget, pod)]


def _disrupted(budget: Object, selected: Sequence[Object], now: Instant) -> dict[str, str]:
    """Return the Pods whose eviction was granted and is not seen yet, with the time of it."""
    granted = (budget.get("status") or {}).get("disruptedPods") or {}
    return {
        name_of(pod): granted[name_of(pod)]
        for pod in selected
        if name_of(pod) in granted
        and not is_being_deleted(pod)
        and timestamps.parse(granted[name_of(pod)]) + DELETION_TIMEOUT_MS > now
    }


def _expectations(objects: Objects, budget: Object, selected: Sequence[Object]) -> tuple[int, int]:
    """Return how many Pods there should be, and how many of them healthy."""
    spec = budget["spec"]
    if spec.get("maxUnavailable") is not None:
        expected = _expected_scale(objects, selected)
        return expected, max(expected - _scaled(spec["maxUnavailable"], expected), 0)
    wanted = spec.get("minAvailable")
    if isinstance(wanted, int):
        return len(selected), wanted
    if wanted is None:
        return 0, 0
    expected = _expected_scale(objects, selected)
    return expected, _scaled(wanted, expected)


def _scaled(value: int | str, total: int) -> int:
    """Return a count, or a percentage of `total` rounded up."""
    return value if isinstance(value, int) else -(-int(value.removesuffix("%")) * total // 100)


def _expected_scale(objects: Objects, selected: Sequence[Object]) -> int:
    """Add up the sizes of all workloads that the Pods belong to."""
    scales: dict[str, int] = {}
    for pod in selected:
        controller = controller_of(pod)
        if controller is None:
            continue
        workload = _workload(objects, pod, controller)
        if workload is None:
            raise errors.NotFound(f'found no controllers for pod "{name_of(pod)}"')
        scales[uid_of(workload)] = replicas_of(workload)
    return sum(scales.values())


def _workload(objects: Objects, obj: Object, controller: Mapping[str, Any]) -> Object | None:
    """Return what decides on the number of Pods: for a Deployment's ReplicaSet, the Deployment."""
    kind = Kind(controller["apiVersion"], controller["kind"])
    if kind not in {REPLICA_SET, DEPLOYMENT, STATEFUL_SET}:
        resource = objects.resource_name(kind).removesuffix(".")
        raise errors.NotFound(f"{resource} does not implement the scale subresource")
    owner = objects.get(kind, namespace_of(obj), controller["name"])
    if owner is None or uid_of(owner) != controller["uid"]:
        return None
    above = controller_of(owner)
    if kind == REPLICA_SET and above is not None and above["kind"] == DEPLOYMENT.kind:
        return _workload(objects, owner, above)
    return owner


def _with_verdict(budget: Object, allowed: int, now: Instant) -> list[Mapping[str, Any]]:
    reason = "SufficientPods" if allowed > 0 else "InsufficientPods"
    word = "True" if allowed > 0 else "False"
    condition = conditions.Condition("DisruptionAllowed", word, reason, "")
    return _with_condition(budget, condition, generation_of(budget), now)


def _fail_safe(objects: Objects, budget: Object, message: str, now: Instant) -> None:
    """Allow no disruption while the budget cannot be worked out."""
    event = Event(
        _COMPONENT,
        "Warning",
        "CalculateExpectedPodCountFailed",
        f"Failed to calculate the number of expected pods: {message}",
    )
    objects.record((POD_DISRUPTION_BUDGET, budget), event)
    known = budget.get("status") or {}
    condition = conditions.Condition("DisruptionAllowed", "False", "SyncFailed", message)
    status = {
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "expectedPods": 0,
        **known,
        "disruptionsAllowed": 0,
        "conditions": _with_condition(
            budget, condition, int(known.get("observedGeneration") or 0), now
        ),
    }
    if status != known:
        objects.update_status(POD_DISRUPTION_BUDGET, with_status(budget, status))


def _with_condition(
    budget: Object, condition: conditions.Condition, generation: int, now: Instant
) -> list[Mapping[str, Any]]:
    known = (budget.get("status") or {}).get("conditions") or ()
    current = conditions.find(known, condition.type)
    since = timestamps.time(now)
    if current is not None and current["status"] == condition.status:
        since = current["lastTransitionTime"]
    updated: dict[str, Any] = {**condition._asdict(), "lastTransitionTime": since}
    if generation:
        updated["observedGeneration"] = generation
    return [*conditions.without(known, condition.type), updated]
