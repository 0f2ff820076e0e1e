"""Adopt and release: who controls an object, by selector and controller reference.

Follows pkg/controller/controller_ref_manager.go of Kubernetes 1.36.3.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from serinus import errors
from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads.objects import (
    Kind,
    Objects,
    controller_of,
    is_being_deleted,
    labels_of,
    owners_of,
    reference_to,
    selector_of,
    uid_of,
    with_parts,
)


class Claimant:
    """One controller object that gathers what belongs to it."""

    def __init__(self, objects: Objects, kind: Kind, owner: Object) -> None:
        self._objects = objects
        self._kind = kind
        self._owner = owner
        self._selector = selector_of(kind, owner)

    def claim(self, kind: Kind, candidates: Iterable[Object]) -> list[Object]:
        """Adopt orphans that match, release what no longer matches, return what is ours now."""
        claimed = []
        for candidate in candidates:
            ours = self._claim_one(kind, candidate)
            if ours is not None:
                claimed.append(ours)
        return claimed

    def is_ours(self, candidate: Object) -> bool:
        """Say whether a candidate is controlled by the owner and matches its selector."""
        controller = controller_of(candidate)
        return (
            controller is not None
            and controller["uid"] == uid_of(self._owner)
            and self._selector.matches(labels_of(candidate))
        )

    def _claim_one(self, kind: Kind, candidate: Object) -> Object | None:
        controller = controller_of(candidate)
        matching = self._selector.matches(labels_of(candidate))
        if controller is not None:
            if controller["uid"] != uid_of(self._owner):
                return None
            if not matching and not is_being_deleted(self._owner):
                self._release(kind, candidate)
            return candidate if matching else None
        if not matching or is_being_deleted(self._owner) or is_being_deleted(candidate):
            return None
        return self._adopt(kind, candidate)

    def _adopt(self, kind: Kind, candidate: Object) -> Object | None:
        owners = [*owners_of(candidate), reference_to(self._kind, self._owner)]
        try:
            return self._objects.update(kind, with_owners(candidate, owners))
        except errors.NotFound:
            return None

    def _release(self, kind: Kind, candidate: Object) -> None:
        try:
            self._objects.update(kind, without_owners(candidate, {uid_of(self._owner)}))
        except (errors.NotFound, errors.Invalid):
            # It is gone, or was released and claimed by another since: nothing to let go of.
            return


def with_owners(obj: Object, owners: list[dict[str, Any]]) -> Object:
    """Return the object with its owner references replaced (none at all for an empty list)."""
    return with_parts(obj, metadata={"ownerReferences": owners or None})


def without_owners(obj: Object, uids: Collection[str]) -> Object:
    """Return the object without its references to some owners."""
    return with_owners(obj, [owner for owner in owners_of(obj) if owner["uid"] not in uids])
