"""One namespace in which records are kept."""

from __future__ import annotations

import contextlib

from serinus import errors
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.kubernetes.own_writes import OwnWrites
from serinus.kube.kinds import Kind
from serinus.traffic.plan import Manifest


class Place:
    """One namespace in which records are kept, and where each write to one is noted."""

    def __init__(self, caches: Caches, namespace: str, own: OwnWrites) -> None:
        self.caches, self.client, self.namespace = caches, caches.client, namespace
        self._own = own

    def find(self, kind: Kind, name: str) -> Manifest | None:
        """Return an object of this namespace, or None."""
        return self.caches.get(kind, self.namespace, name)

    def made(self, verb: str, kind: Kind, written: Manifest) -> None:
        """Note a write to a record."""
        meta = written["metadata"]
        self._own.made(kind, written)
        self._own.on_write(
            f"{verb} {kind.kind} {self.namespace}/{meta['name']}: the record of the release"
        )

    async def delete(self, kind: Kind, name: str, why: str) -> None:
        """Delete an object, if it is there."""
        found = self.find(kind, name)
        with contextlib.suppress(errors.NotFound):
            await self.client.delete(kind, name, self.namespace)
            self._own.on_write(f"delete {kind.kind} {self.namespace}/{name}: {why}")
            if found is not None:
                self.gone(kind, found)

    def gone(self, kind: Kind, found: Manifest) -> None:
        """Note that an object is on its way out."""
        meta = found["metadata"]
        self._own.deleted(kind, self.namespace, meta["name"], meta["uid"])
