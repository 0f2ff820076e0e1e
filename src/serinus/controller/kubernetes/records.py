"""Where a release is remembered: its CanaryRelease where there is the kind, else a ConfigMap."""

from __future__ import annotations

import contextlib
from typing import Protocol

from serinus import errors
from serinus.api import codec
from serinus.api.codec import Release
from serinus.clock import Instant
from serinus.controller.kubernetes import record
from serinus.controller.kubernetes.config_map_records import ConfigMapRecords
from serinus.controller.kubernetes.object_records import ObjectRecords
from serinus.controller.kubernetes.place import Place
from serinus.controller.ports import Stored
from serinus.kube import kinds
from serinus.kube.client import Client
from serinus.release.model import Command
from serinus.traffic.plan import Manifest


class Records(Protocol):
    """What drivers and verbs do with the record of a release."""

    def load(self, name: str) -> Stored | None:
        """Return it, or None."""
        ...

    async def refuse_stranger(self, name: str) -> None:
        """Raise RefusedError where something that is no record has its name."""
        ...

    async def create(self, release: Release, *, dry_run: bool = False) -> None:
        """Write the first one of a release, or raise AlreadyExists."""
        ...

    async def wish(self, stored: Stored, *, dry_run: bool = False) -> None:
        """Write another spec where nobody wrote the record since, else raise Conflict."""
        ...

    async def command(self, stored: Stored, command: Command, *, dry_run: bool = False) -> None:
        """Write a command where nobody wrote the record since, else raise Conflict."""
        ...

    async def save(self, stored: Stored) -> Stored:
        """Write the status where nobody wrote the record since, else raise Conflict."""
        ...

    async def show(self, name: str, status: Manifest) -> None:
        """Write a status as it stands, also where it cannot be read, else raise Conflict."""
        ...

    async def leave(self, stored: Stored, now: Instant) -> None:
        """Mark it as deleted: its driver puts everything back and then forgets it."""
        ...

    async def forget(self, name: str) -> None:
        """Delete it."""
        ...


async def listed(client: Client, namespace: str | None) -> list[Release]:
    """Return every release that there is a record of, by namespace and name."""
    found: dict[tuple[str, str], Release] = {}
    maps = await client.list(kinds.CONFIG_MAPS, namespace, label_selector=record.RECORD_SELECTOR)
    releases = [record.from_config_map(item) for item in maps.items]
    with contextlib.suppress(errors.NotFound):
        objects = await client.list(kinds.CANARY_RELEASES, namespace)
        releases += [codec.decode(item) for item in objects.items]
    for release in releases:
        found[release.namespace, release.name] = release
    return [found[key] for key in sorted(found)]


def records(place: Place) -> Records:
    """Return where the records of a namespace are kept."""
    if place.caches.has(kinds.CANARY_RELEASES):
        return ObjectRecords(place)
    return ConfigMapRecords(place)
