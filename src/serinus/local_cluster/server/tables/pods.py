"""Columns of pods: above all the one word that sums up a pod's state."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.clock import Instant
from serinus.kubernetes_model import Object
from serinus.local_cluster.server.tables.columns import AGE, NAME, NONE, Column, at, since


class Summary(msgspec.Struct):
    """What `kubectl get pods` says about the containers of one pod."""

    reason: str
    total_count: int
    ready_count: int = 0
    restart_count: int = 0
    last_restart: str = ""


def summary(pod: Object) -> Summary:
    """Sum up a pod as `printPod` of Kubernetes does."""
    status = pod.get("status") or {}
    found = Summary(
        reason=status.get("reason") or status.get("phase", ""),
        total_count=len(pod["spec"].get("containers") or ())
        + sum(_is_sidecar(c) for c in pod["spec"].get("initContainers") or ()),
    )
    for condition in status.get("conditions") or ():
        if condition.get("reason") == "SchedulingGated" and condition["type"] == "PodScheduled":
            found.reason = "SchedulingGated"
    initializing = _sum_up_init(pod, found)
    if not initializing or _condition(status, "Initialized"):
        _sum_up_containers(pod, found)
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            found.reason = "Unknown"
        elif status.get("phase") not in {"Failed", "Succeeded"}:
            found.reason = "Terminating"
    return found


def _sum_up_init(pod: Object, found: Summary) -> bool:
    """Take in the init containers; return whether they are still at work."""
    sidecars = {c["name"] for c in pod["spec"].get("initContainers") or () if _is_sidecar(c)}
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or ()
    for index, container in enumerate(statuses):
        _count_restarts(container, found)
        state = container.get("state") or {}
        ended = state.get("terminated")
        if ended is not None and not ended.get("exitCode"):
            continue
        if container["name"] in sidecars and container.get("started"):
            found.ready_count += bool(container.get("ready"))
            continue
        waiting = (state.get("waiting") or {}).get("reason", "")
        if ended is not None:
            found.reason = f"Init:{_end(ended)}"
        elif waiting and waiting != "PodInitializing":
            found.reason = f"Init:{waiting}"
        else:
            found.reason = f"Init:{index}/{len(pod['spec'].get('initContainers') or ())}"
        return True
    return False


def _sum_up_containers(pod: Object, found: Summary) -> None:
    status = pod.get("status") or {}
    sidecars = {c["name"] for c in pod["spec"].get("initContainers") or () if _is_sidecar(c)}
    found.restart_count, found.last_restart = 0, ""
    for container in status.get("initContainerStatuses") or ():
        if container["name"] in sidecars:
            _count_restarts(container, found)
    running, failure = False, ""
    for container in reversed(status.get("containerStatuses") or ()):
        _count_restarts(container, found)
        state = container.get("state") or {}
        waiting = (state.get("waiting") or {}).get("reason")
        ended = state.get("terminated")
        if waiting:
            found.reason = waiting
        elif ended is not None:
            found.reason = _end(ended)
            failure = found.reason if ended.get("exitCode") else failure
        elif container.get("ready") and state.get("running") is not None:
            running = True
            found.ready_count += 1
    if found.reason == "Completed":
        if running:
            found.reason = "Running" if _condition(status, "Ready") else failure or "NotReady"
        else:
            found.reason = failure or found.reason


def _count_restarts(container: dict[str, Any], found: Summary) -> None:
    found.restart_count += container.get("restartCount", 0)
    ended = (container.get("lastState") or {}).get("terminated") or {}
    found.last_restart = max(found.last_restart, ended.get("finishedAt") or "")


def _end(terminated: dict[str, Any]) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _is_sidecar(container: dict[str, Any]) -> bool:
    return container.get("restartPolicy") == "Always"


def _condition(status: dict[str, Any], type_: str) -> bool:
    conditions = status.get("conditions") or ()
    return any(c["type"] == type_ and c.get("status") == "True" for c in conditions)


def _ready(pod: Object, _now: Instant) -> str:
    found = summary(pod)
    return f"{found.ready_count}/{found.total_count}"


def _restarts(pod: Object, now: Instant) -> str:
    found = summary(pod)
    if not found.restart_count or not found.last_restart:
        return str(found.restart_count)
    return f"{found.restart_count} ({since(found.last_restart, now)} ago)"


def _address(pod: Object, _now: Instant) -> str:
    addresses = (pod.get("status") or {}).get("podIPs") or ()
    return str(addresses[0]["ip"]) if addresses else NONE


def _gates(pod: Object, _now: Instant) -> str:
    gates = pod["spec"].get("readinessGates") or ()
    if not gates:
        return NONE
    status = pod.get("status") or {}
    return f"{sum(_condition(status, g['conditionType']) for g in gates)}/{len(gates)}"


POD = (
    NAME,
    Column("Ready", _ready, "The aggregate readiness state of this pod for accepting traffic."),
    Column(
        "Status",
        lambda pod, _now: summary(pod).reason,
        "The aggregate status of the containers in this pod.",
    ),
    Column(
        "Restarts",
        _restarts,
        "The number of times the containers in this pod have been restarted and when the last "
        "container in this pod has restarted.",
    ),
    AGE,
    Column("IP", _address, "Address of the pod.", priority=1),
    Column("Node", at("spec", "nodeName", default=NONE), "Node of the pod.", priority=1),
    Column("Nominated Node", at("status", "nominatedNodeName", default=NONE), priority=1),
    Column("Readiness Gates", _gates, "Further conditions for readiness.", priority=1),
)
