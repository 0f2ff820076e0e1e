"""A pod's status from what is known of its containers; pure.

After pkg/kubelet/status/generate.go of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from serinus.clock import Instant
from serinus.kube import timestamps
from serinus.local_cluster.node.pods.spec import Container, Pod, PodSpec
from serinus.local_cluster.node.pods.state import ContainerView, Running, Terminated


class PodView(msgspec.Struct, frozen=True, kw_only=True):
    """All that a pod's status is made of."""

    pod: Pod
    init: tuple[ContainerView, ...]
    containers: tuple[ContainerView, ...]
    started_at: Instant
    host_ip: str
    pod_ip: str | None
    failure: tuple[str, str] | None = None
    """Reason and message, when the pod as a whole has failed."""


Conditions = Sequence[dict[str, Any]]


def build(view: PodView, before: Conditions, now: Instant) -> dict[str, Any]:
    """Return the status to be patched in; what did not change since `before` keeps its time."""
    phase = _phase(view)
    status: dict[str, Any] = {
        "phase": phase,
        "hostIP": view.host_ip,
        "hostIPs": [{"ip": view.host_ip}],
        "startTime": timestamps.format_seconds(view.started_at),
        "conditions": _conditions(view, phase, before, now),
        "containerStatuses": [c.manifest() for c in view.containers],
    }
    if view.init:
        status["initContainerStatuses"] = [c.manifest() for c in view.init]
    if view.pod_ip is not None:
        status["podIP"] = view.pod_ip
        status["podIPs"] = [{"ip": view.pod_ip}]
    if view.failure is not None:
        status["reason"], status["message"] = view.failure
    if not view.pod.status.get("qosClass"):
        status["qosClass"] = qos_class(view.pod.spec)
    if view.pod.metadata.generation:
        status["observedGeneration"] = view.pod.metadata.generation
    return status


def _phase(view: PodView) -> str:
    if view.failure is not None:
        return "Failed"
    policy = view.pod.spec.restart_policy
    for each in view.init:
        if each.is_sidecar:
            if not each.started and not each.has_ended:
                return "Pending"
        elif each.has_ended and not each.has_succeeded and policy == "Never":
            return "Failed"
        elif not each.has_succeeded:
            return "Pending"
    mains = view.containers
    if mains and all(c.has_ended for c in mains):
        if policy == "Always":
            return "Running"
        if all(c.has_succeeded for c in mains):
            return "Succeeded"
        return "Failed" if policy == "Never" else "Running"
    # A container that has run once and waits to run again counts as running.
    begun = any(isinstance(c.state, Running | Terminated) or c.last_state for c in mains)
    waiting = any(_never_ran(c) for c in mains)
    return "Running" if begun and not waiting else "Pending"


def _never_ran(container: ContainerView) -> bool:
    return not isinstance(container.state, Running | Terminated) and container.last_state is None


def _conditions(
    view: PodView, phase: str, before: Conditions, now: Instant
) -> list[dict[str, Any]]:
    ended = phase in {"Succeeded", "Failed"}
    why_ended = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    not_initialized = [c.name for c in view.init if not _is_initialized(c)]
    wanted: list[tuple[str, bool, str, str]] = [
        ("PodReadyToStartContainers", view.pod_ip is not None and not ended, "", ""),
        (
            "Initialized",
            not not_initialized,
            "ContainersNotInitialized" if not_initialized else why_ended,
            f"containers with incomplete status: [{' '.join(not_initialized)}]"
            if not_initialized
            else "",
        ),
    ]
    sidecars = [c for c in view.init if c.is_sidecar]
    unready = [c.name for c in (*sidecars, *view.containers) if not c.ready]
    if ended:
        why, message = why_ended, ""
    elif unready or not_initialized:
        why = "ContainersNotReady"
        message = f"containers with unready status: [{' '.join(unready)}]"
    else:
        why, message = "", ""
    containers_ready = not (ended or unready or not_initialized)
    gates = [] if not containers_ready else _unmet_gates(view.pod)
    wanted += [
        (
            "Ready",
            containers_ready and not gates,
            "ReadinessGatesNotReady" if gates else why,
            "; ".join(gates) if gates else message,
        ),
        ("ContainersReady", containers_ready, why, message),
        ("PodScheduled", True, "", ""),
    ]
    known = {c["type"]: c for c in before}
    return [_condition(known.get(w[0]), w, now) for w in wanted]


def _is_initialized(container: ContainerView) -> bool:
    return container.started if container.is_sidecar else container.has_succeeded


def _unmet_gates(pod: Pod) -> list[str]:
    true = {c["type"] for c in pod.status.get("conditions") or () if c.get("status") == "True"}
    return [
        f'the status of pod readiness gate "{gate.condition_type}" is not "True"'
        for gate in pod.spec.readiness_gates or ()
        if gate.condition_type not in true
    ]


def _condition(
    before: dict[str, Any] | None, wanted: tuple[str, bool, str, str], now: Instant
) -> dict[str, Any]:
    kind, is_true, reason, message = wanted
    status = "True" if is_true else "False"
    same = before is not None and before.get("status") == status
    since = before.get("lastTransitionTime") if same and before else None
    return {
        "type": kind,
        "status": status,
        # A null takes away what a strategic merge would keep.
        "reason": reason or None,
        "message": message or None,
        "lastProbeTime": None,
        "lastTransitionTime": since or timestamps.format_seconds(now),
    }


def qos_class(spec: PodSpec) -> str:
    """Return Guaranteed, Burstable or BestEffort (pkg/apis/core/v1/helper/qos/qos.go)."""
    containers = (*spec.containers, *(spec.init_containers or ()))
    if not any(c.resources.limits or c.resources.requests for c in containers):
        return "BestEffort"
    return "Guaranteed" if all(_is_guaranteed(c) for c in containers) else "Burstable"


def _is_guaranteed(container: Container) -> bool:
    limits, requests = container.resources.limits or {}, container.resources.requests or {}
    both = {"cpu", "memory"}
    return both <= set(limits) and all(
        str(requests.get(name, limits[name])) == str(limits[name]) for name in both
    )
