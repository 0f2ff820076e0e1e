"""The garbage collector: dependents follow their owners, or are let go of.

Follows pkg/controller/garbagecollector/garbagecollector.go of Kubernetes 1.36.3. Reads are never
stale here, so owners need neither a cache of absent ones nor virtual nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model.requests import DeleteOptions, Object, Propagation
from serinus.kubernetes_model.workloads import ownership
from serinus.kubernetes_model.workloads.objects import (
    Kind,
    Objects,
    finalizers_of,
    is_being_deleted,
    namespace_of,
    owners_of,
    uid_of,
    with_parts,
)

FOREGROUND_FINALIZER = "foregroundDeletion"
ORPHAN_FINALIZER = "orphan"


def reconcile(objects: Objects, namespace: str, uid: str, now: Instant) -> Instant | None:
    """Delete, orphan or release one object as the state of its owners and its own asks.

    Raises:
        Unavailable: an owner is of a kind that is not served, so nothing can be known of it.
    """
    del namespace, now  # An object is found by uid alone, and nothing depends on the time.
    found = objects.by_uid(uid)
    if found is None:
        return None
    kind, obj = found
    if is_being_deleted(obj):
        if ORPHAN_FINALIZER in finalizers_of(obj):
            _orphan_dependents(objects, kind, obj)
        elif is_deleting_dependents(obj):
            _finish_foreground(objects, kind, obj)
        return None
    if owners_of(obj):
        _follow_owners(objects, kind, obj)
    return None


def is_deleting_dependents(obj: Object) -> bool:
    """Say whether an object waits for its dependents to go first."""
    return is_being_deleted(obj) and FOREGROUND_FINALIZER in finalizers_of(obj)


def blocks(dependent: Object, uid: str) -> bool:
    """Say whether an owner that is deleted in the foreground has to wait for a dependent."""
    references = owners_of(dependent)
    return any(item["uid"] == uid and item.get("blockOwnerDeletion") for item in references)


def find_owner(objects: Objects, obj: Object, owner: Mapping[str, Any]) -> Object | None:
    """Return the owner that a reference names, if it exists with that name, kind and uid."""
    kind = Kind(owner["apiVersion"], owner["kind"])
    namespaced = objects.is_namespaced(kind)
    if namespaced is None:
        raise errors.Unavailable(
            f'no kind "{kind.kind}" in "{kind.api_version}" is served; {obj["kind"]} '
            f'"{obj["metadata"]["name"]}" names one as its owner'
        )
    found = objects.get(kind, namespace_of(obj) if namespaced else "", owner["name"])
    return found if found is not None and uid_of(found) == owner["uid"] else None


def _follow_owners(objects: Objects, kind: Kind, obj: Object) -> None:
    solid, dangling, waiting = _classify(objects, obj)
    if solid:
        if dangling or waiting:
            objects.update(kind, ownership.without_owners(obj, {*dangling, *waiting}))
        return
    if not dangling and not waiting:
        return
    propagation = _propagation(obj)
    dependents = objects.dependents(uid_of(obj))
    if waiting and dependents:
        if any(is_deleting_dependents(dependent) for _, dependent in dependents):
            # Two that wait for each other would wait for ever.
            obj = objects.update(kind, _unblocked(obj))
        propagation = Propagation.FOREGROUND
    options = DeleteOptions(
        propagation=propagation,
        uid=uid_of(obj),
        resource_version=obj["metadata"]["resourceVersion"],
    )
    try:
        objects.delete(kind, obj, options)
    except errors.NotFound:
        return


def _classify(objects: Objects, obj: Object) -> tuple[list[str], list[str], list[str]]:
    """Return the uids of owners that live, that are gone, and that wait for their dependents."""
    solid: list[str] = []
    dangling: list[str] = []
    waiting: list[str] = []
    for reference in owners_of(obj):
        namespaced = objects.is_namespaced(Kind(reference["apiVersion"], reference["kind"]))
        if namespaced and not namespace_of(obj):
            # A cluster-scoped object cannot be owned by a namespaced one; such a reference makes
            # it undeletable for the collector.
            return [reference["uid"]], [], []
        owner = find_owner(objects, obj, reference)
        if owner is None:
            dangling.append(reference["uid"])
        elif is_deleting_dependents(owner):
            waiting.append(reference["uid"])
        else:
            solid.append(reference["uid"])
    return solid, dangling, waiting


def _propagation(obj: Object) -> Propagation:
    if ORPHAN_FINALIZER in finalizers_of(obj):
        return Propagation.ORPHAN
    if FOREGROUND_FINALIZER in finalizers_of(obj):
        return Propagation.FOREGROUND
    return Propagation.BACKGROUND


def _finish_foreground(objects: Objects, kind: Kind, obj: Object) -> None:
    """Let the object go when no dependent that blocks it is left."""
    dependents = [dependent for _, dependent in objects.dependents(uid_of(obj))]
    if not any(blocks(dependent, uid_of(obj)) for dependent in dependents):
        objects.update(kind, _without_finalizer(obj, FOREGROUND_FINALIZER))


def _orphan_dependents(objects: Objects, kind: Kind, obj: Object) -> None:
    for dependent_kind, dependent in objects.dependents(uid_of(obj)):
        try:
            released = ownership.without_owners(dependent, {uid_of(obj)})
            objects.update(dependent_kind, released)
        except errors.NotFound:
            continue
    objects.update(kind, _without_finalizer(obj, ORPHAN_FINALIZER))


def _without_finalizer(obj: Object, finalizer: str) -> Object:
    kept: Sequence[str] = [item for item in finalizers_of(obj) if item != finalizer]
    return with_parts(obj, metadata={"finalizers": kept or None})


def _unblocked(obj: Object) -> Object:
    owners = [{**owner, "blockOwnerDeletion": False} for owner in owners_of(obj)]
    return ownership.with_owners(obj, owners)
