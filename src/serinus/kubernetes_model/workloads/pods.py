"""What controllers ask of a Pod: is it ready, available, active, and which of many goes first."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from serinus.clock import Instant
from serinus.kubernetes_model import timestamps
from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads.objects import (
    annotations_of,
    is_being_deleted,
    uid_of,
)

DELETION_COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}


def phase_of(pod: Object) -> str:
    """Return `status.phase`; a Pod that has none yet is Pending."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def ready_condition(pod: Object) -> Mapping[str, Any] | None:
    """Return the condition of type Ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((item for item in conditions if item.get("type") == "Ready"), None)


def is_ready(pod: Object) -> bool:
    """Say whether the Ready condition is True."""
    condition = ready_condition(pod)
    return condition is not None and condition.get("status") == "True"


def is_terminal(pod: Object) -> bool:
    """Say whether all containers have stopped for good."""
    return phase_of(pod) in {"Succeeded", "Failed"}


def is_active(pod: Object) -> bool:
    """Say whether the Pod counts as a replica: not terminal and not being deleted."""
    return not is_terminal(pod) and not is_being_deleted(pod)


def is_terminating(pod: Object) -> bool:
    """Say whether the Pod is being deleted but has not stopped yet."""
    return not is_terminal(pod) and is_being_deleted(pod)


def available_at(pod: Object, min_ready_seconds: int) -> Instant | None:
    """Return the instant from which a Pod that stays ready counts as available, if it is ready."""
    condition = ready_condition(pod)
    if condition is None or condition.get("status") != "True":
        return None
    if min_ready_seconds == 0:
        return 0
    since = condition.get("lastTransitionTime")
    return None if not since else timestamps.parse(since) + min_ready_seconds * 1000


def victims_first(pods: Sequence[Object], related: Sequence[Object], now: Instant) -> list[Object]:
    """Order Pods so that those to delete first come first.

    Follows `ActivePodsWithRanks` of pkg/controller/controller_utils.go: unassigned, pending, not
    ready, cheaper to delete, on a node with more `related` Pods, ready for less long (in powers of
    two, ties by uid), restarted more often, younger.
    """
    on_node: dict[str, int] = {}
    for pod in related:
        if is_active(pod):
            node = _node_of(pod)
            on_node[node] = on_node.get(node, 0) + 1

    def compare(one: Object, other: Object) -> int:
        return _compare(one, other, on_node) or _compare_ages(one, other, now)

    return sorted(pods, key=functools.cmp_to_key(compare))


def _node_of(pod: Object) -> str:
    return str(pod["spec"].get("nodeName") or "")


def _compare(one: Object, other: Object, on_node: Mapping[str, int]) -> int:
    keys = [
        (
            bool(_node_of(pod)),
            _PHASE_ORDER.get(phase_of(pod), 0),
            is_ready(pod),
            _deletion_cost(pod),
            -on_node.get(_node_of(pod), 0),
        )
        for pod in (one, other)
    ]
    return (keys[0] > keys[1]) - (keys[0] < keys[1])


def _compare_ages(one: Object, other: Object, now: Instant) -> int:
    if is_ready(one) and is_ready(other):
        times = [_since(ready_condition(pod), "lastTransitionTime") for pod in (one, other)]
        if times[0] != times[1]:
            return _compare_times(times[0], times[1], now) or _compare_uids(one, other)
    restarts = [_restart_counts(pod) for pod in (one, other)]
    if restarts[0] != restarts[1]:
        return -1 if restarts[0] > restarts[1] else 1
    times = [_since(pod["metadata"], "creationTimestamp") for pod in (one, other)]
    if times[0] != times[1]:
        return _compare_times(times[0], times[1], now) or _compare_uids(one, other)
    return 0


def _since(where: Mapping[str, Any] | None, field: str) -> Instant | None:
    text = (where or {}).get(field)
    return timestamps.parse(text) if text else None


def _compare_times(one: Instant | None, other: Instant | None, now: Instant) -> int:
    """Put the younger first, where ages in the same power of two (of nanoseconds) are alike."""
    if one is None or other is None:
        return -1 if one is None else 1
    magnitudes = [max((now - time) * 1_000_000, 0).bit_length() for time in (one, other)]
    return magnitudes[0] - magnitudes[1]


def _compare_uids(one: Object, other: Object) -> int:
    return -1 if uid_of(one) < uid_of(other) else 1


def _deletion_cost(pod: Object) -> int:
    text = annotations_of(pod).get(DELETION_COST_ANNOTATION, "")
    digits = text.removeprefix("-")
    # The API server refuses other texts; one that slipped in counts as no annotation.
    return int(text) if digits.isascii() and digits.isdigit() else 0


def _restart_counts(pod: Object) -> tuple[int, int]:
    """Return the most restarts of a container, and of a sidecar."""
    status = pod.get("status") or {}
    sidecars = {
        container["name"]
        for container in pod["spec"].get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    }
    regular = (item.get("restartCount", 0) for item in status.get("containerStatuses") or ())
    beside = (
        item.get("restartCount", 0)
        for item in status.get("initContainerStatuses") or ()
        if item["name"] in sidecars
    )
    return max(regular, default=0), max(beside, default=0)
