"""The namespace controller: empty a namespace that is being deleted, then let it go.

Follows pkg/controller/namespace/deletion/namespaced_resources_deleter.go of Kubernetes 1.36.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model import timestamps
from serinus.kubernetes_model.requests import DeleteOptions, Object, Propagation
from serinus.kubernetes_model.workloads import conditions, pods
from serinus.kubernetes_model.workloads.objects import (
    NAMESPACE,
    POD,
    Kind,
    Objects,
    finalizers_of,
    is_being_deleted,
    name_of,
    uid_of,
    with_parts,
    with_status,
)

_FINALIZER = "kubernetes"
_FINALIZERS_ESTIMATE_S = 15
_NOTHING_LEFT = {
    "NamespaceDeletionDiscoveryFailure": (
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": (
        "ContentRemoved",
        "All content successfully removed",
    ),
    "NamespaceFinalizersRemaining": (
        "ContentHasNoFinalizers",
        "All content-preserving finalizers finished",
    ),
}
_Counts = dict[str, int]


def reconcile(objects: Objects, namespace: str, name: str, now: Instant) -> Instant | None:
    """Delete what a terminating namespace holds; return when to look at the rest again."""
    del namespace
    found = objects.get(NAMESPACE, "", name)
    if found is None or not is_being_deleted(found):
        return None
    if (found.get("status") or {}).get("phase") != "Terminating":
        status = {**(found.get("status") or {}), "phase": "Terminating"}
        found = objects.update_status(NAMESPACE, with_status(found, status))
    if not found["spec"].get("finalizers"):
        return None
    estimate_s = _estimate_s(objects, found, now)
    _delete_each(objects, name, pods_only=True)
    remaining = objects.contents(name)
    if any(kind == POD for kind, _ in remaining):
        # Pods go first, so that nothing they rely on (policies, secrets) goes before them.
        _write_conditions(objects, found, {}, now)
    else:
        _delete_each(objects, name, pods_only=False)
        remaining = objects.contents(name)
        found = _write_conditions(objects, found, _leftovers(objects, remaining), now)
    if remaining:
        if not estimate_s and any(finalizers_of(obj) for _, obj in remaining):
            estimate_s = _FINALIZERS_ESTIMATE_S
        return now + (estimate_s // 2 + 1) * 1000
    kept = [item for item in found["spec"]["finalizers"] if item != _FINALIZER]
    objects.finalize(with_parts(found, spec={"finalizers": kept}))
    return None


def _delete_each(objects: Objects, name: str, *, pods_only: bool) -> None:
    for kind, obj in objects.contents(name):
        if pods_only and kind != POD:
            continue
        options = DeleteOptions(propagation=Propagation.BACKGROUND, uid=uid_of(obj))
        try:
            objects.delete(kind, obj, options)
        except errors.NotFound:
            continue


def _estimate_s(objects: Objects, namespace: Object, now: Instant) -> int:
    """Return how long the Pods may take to stop; 0 once that time is over."""
    graces = [
        int(pod["spec"].get("terminationGracePeriodSeconds") or 0)
        for pod in objects.list(POD, name_of(namespace))
        if not pods.is_terminal(pod)
    ]
    estimate_s = max(graces, default=0)
    since = timestamps.parse(namespace["metadata"]["deletionTimestamp"])
    return 0 if now - since >= estimate_s * 1000 else estimate_s


def _leftovers(
    objects: Objects, remaining: Sequence[tuple[Kind, Object]]
) -> Mapping[str, tuple[str, str]]:
    """Return reason and message for the conditions that tell what is left."""
    if not remaining:
        return {}
    by_resource: _Counts = {}
    by_finalizer: _Counts = {}
    for kind, obj in remaining:
        resource = objects.resource_name(kind)
        by_resource[resource] = by_resource.get(resource, 0) + 1
        for finalizer in finalizers_of(obj):
            by_finalizer[finalizer] = by_finalizer.get(finalizer, 0) + 1
    resources = ", ".join(
        f"{item} has {count} resource instances" for item, count in sorted(by_resource.items())
    )
    told = {
        "NamespaceContentRemaining": (
            "SomeResourcesRemain",
            f"Some resources are remaining: {resources}",
        )
    }
    if by_finalizer:
        finalizers = ", ".join(
            f"{item} in {count} resource instances" for item, count in sorted(by_finalizer.items())
        )
        told["NamespaceFinalizersRemaining"] = (
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {finalizers}",
        )
    return told


def _write_conditions(
    objects: Objects, namespace: Object, told: Mapping[str, tuple[str, str]], now: Instant
) -> Object:
    status = namespace.get("status") or {}
    known = status.get("conditions") or []
    updated: list[Mapping[str, Any]] = list(known)
    for type_, nothing_left in _NOTHING_LEFT.items():
        reason, message = told.get(type_, nothing_left)
        status_text = "True" if type_ in told else "False"
        wanted = {"type": type_, "status": status_text, "reason": reason, "message": message}
        current = conditions.find(updated, type_)
        since = timestamps.time(now)
        if current is not None and current.get("status") == wanted["status"]:
            since = current.get("lastTransitionTime", since)
        replacement = {**wanted, "lastTransitionTime": since}
        if current is None:
            updated.append(replacement)
        else:
            updated[updated.index(current)] = replacement
    if updated == known:
        return namespace
    return objects.update_status(
        NAMESPACE, with_status(namespace, {**status, "conditions": updated})
    )
