"""Remove Pods whose Node is gone: nobody is left who could stop them.

Follows gcOrphaned of pkg/controller/podgc/gc_controller.go of Kubernetes 1.36.3.
"""

from __future__ import annotations

from serinus.clock import Instant
from serinus.kubernetes_model import timestamps
from serinus.kubernetes_model.requests import DeleteOptions, Object
from serinus.kubernetes_model.workloads import conditions, pods
from serinus.kubernetes_model.workloads.objects import (
    NODE,
    POD,
    Lookup,
    Objects,
    uid_of,
    with_status,
)

QUARANTINE_MS = 40_000
"""For how long a Node has to be gone; it may come back."""


def is_lost(lookup: Lookup, pod: Object) -> bool:
    """Say whether a Pod is bound to a Node that does not exist."""
    node_name = pod["spec"].get("nodeName")
    return bool(node_name) and lookup.get(NODE, "", node_name) is None


def reconcile(objects: Objects, namespace: str, name: str, now: Instant) -> Instant | None:
    """Fail and delete one Pod, if its Node is still gone after the quarantine."""
    pod = objects.get(POD, namespace, name)
    if pod is None or not is_lost(objects, pod):
        return None
    if not pods.is_terminal(pod):
        pod = objects.update_status(POD, _failed(pod, now))
    objects.delete(POD, pod, DeleteOptions(grace_seconds=0, uid=uid_of(pod)))
    return None


def _failed(pod: Object, now: Instant) -> Object:
    status = pod.get("status") or {}
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "DeletionByPodGC",
        "message": "PodGC: node no longer exists",
        "lastTransitionTime": timestamps.time(now),
    }
    known = conditions.without(status.get("conditions") or (), "DisruptionTarget")
    return with_status(pod, {**status, "phase": "Failed", "conditions": [*known, target]})
