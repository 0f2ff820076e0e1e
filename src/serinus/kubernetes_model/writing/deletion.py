"""What a delete does to an object: preconditions, grace, finalizers.

Follows Kubernetes 1.36: apiserver pkg/registry/rest/delete.go and generic/registry/store.go.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from serinus.clock import Instant
from serinus.kubernetes_model import failures, timestamps
from serinus.kubernetes_model.kinds import Resource
from serinus.kubernetes_model.requests import DeleteOptions, Propagation

Manifest = dict[str, Any]

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_COLLECTOR = {ORPHAN, FOREGROUND}
_FINISHED = {"Succeeded", "Failed"}


class Fate(enum.Enum):
    """What is to become of the object."""

    KEEP = "keep"
    """A deletion is pending already: nothing changes."""
    MARK = "mark"
    """It is marked, and stays until finalizers or grace are over."""
    REMOVE = "remove"
    MARK_AND_REMOVE = "mark and remove"
    """It is marked for the watchers and removed at once."""


class Sentence(msgspec.Struct, frozen=True):
    """The fate of an object, and the object as it is to be stored if it is marked."""

    fate: Fate
    item: Manifest


def judge(
    resource: Resource, item: Manifest, options: DeleteOptions, now: Instant, *, graceful: bool
) -> Sentence:
    """Decide what a delete does; `graceful` says whether the kind knows grace (pods).

    Raises:
        Conflict: a precondition does not hold.
    """
    check_preconditions(resource, item, options)
    finalizers = _finalizers(item["metadata"], options.propagation)
    marked, grace = (None, None)
    if graceful:
        marked, grace = _marked_with_grace(item, options, now)
        if marked is item:
            return Sentence(Fate.KEEP, item)
    if marked is None:
        if not finalizers:
            return Sentence(Fate.REMOVE, item)
        marked = _marked_at_once(item, now)
    metadata = marked["metadata"]
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    done = grace == 0 and not finalizers
    return Sentence(Fate.MARK_AND_REMOVE if done else Fate.MARK, marked)


def check_preconditions(resource: Resource, item: Manifest, options: DeleteOptions) -> None:
    """Refuse when the object is not the one, or not the version, that the caller means."""
    metadata = item["metadata"]
    name, uid, version = metadata["name"], metadata["uid"], metadata["resourceVersion"]
    # The kind, not the resource, stands in these two messages.
    kind = msgspec.structs.replace(resource, plural=resource.kind)
    if options.uid is not None and options.uid != uid:
        raise failures.conflict(
            kind,
            name,
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({uid}). The object might have been deleted and then recreated",
        )
    if options.resource_version is not None and options.resource_version != version:
        raise failures.conflict(
            kind,
            name,
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match "
            f"the ResourceVersion in record ({version}). The object might have been modified",
        )


def ends_with_update(new: Manifest, old: Manifest) -> bool:
    """Tell whether an update takes the last thing that kept a deleted object."""
    metadata = old["metadata"]
    if new["metadata"].get("finalizers") or "deletionTimestamp" not in metadata:
        return False
    if new["kind"] == "Namespace" and new["spec"].get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")


def _finalizers(metadata: Manifest, propagation: Propagation | None) -> list[str]:
    present: list[str] = metadata.get("finalizers", [])
    kept = [name for name in present if name not in _COLLECTOR]
    if propagation is None:
        return present
    if propagation is Propagation.ORPHAN:
        return [*kept, ORPHAN]
    if propagation is Propagation.FOREGROUND:
        return [*kept, FOREGROUND]
    return kept


def _marked_at_once(item: Manifest, now: Instant) -> Manifest:
    metadata = dict(item["metadata"])
    if "deletionTimestamp" not in metadata:
        _count_generation(metadata)
    stamp = timestamps.time(now)
    if metadata.get("deletionTimestamp", "9") > stamp:
        metadata["deletionTimestamp"] = stamp
    metadata["deletionGracePeriodSeconds"] = 0
    return {**item, "metadata": metadata}


def _marked_with_grace(
    item: Manifest, options: DeleteOptions, now: Instant
) -> tuple[Manifest | None, int | None]:
    """Return the marked object and its grace; the item itself when a deletion is pending.

    None in place of the object: it is beyond grace.
    """
    wanted = options.grace_seconds
    if wanted is not None and wanted < 0:
        wanted = 1
    metadata = dict(item["metadata"])
    if "deletionTimestamp" in metadata:
        pending = metadata.get("deletionGracePeriodSeconds") or 0
        if pending == 0:
            return None, None
        if wanted is None or wanted >= pending:
            return item, pending
        begun = timestamps.parse(metadata["deletionTimestamp"]) - 1000 * pending
        due = begun + 1000 * wanted
        if due < now:
            due, wanted = now, (1 if wanted else 0)
        metadata["deletionTimestamp"] = timestamps.time(due)
        metadata["deletionGracePeriodSeconds"] = wanted
        return {**item, "metadata": metadata}, wanted
    spec, status = item["spec"], item["status"]
    grace = spec.get("terminationGracePeriodSeconds", 30) if wanted is None else wanted
    if grace < 0:
        grace = 1
    if not spec.get("nodeName") or status.get("phase") in _FINISHED:
        grace = 0
    metadata["deletionTimestamp"] = timestamps.time(now + 1000 * grace)
    metadata["deletionGracePeriodSeconds"] = grace
    _count_generation(metadata)
    return {**item, "metadata": metadata}, grace


def _count_generation(metadata: Manifest) -> None:
    if metadata.get("generation"):
        metadata["generation"] += 1
