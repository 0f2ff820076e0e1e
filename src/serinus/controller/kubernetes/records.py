"""Where a release is remembered: its CanaryRelease where there is the kind, else a ConfigMap.

A record that was begun in a ConfigMap moves into the object with the first status that a driver
saves; until then both verbs and drivers go on with it where it is.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import msgspec

from serinus import errors
from serinus.api import codec
from serinus.api.codec import COMMAND_ANNOTATION, FINALIZER, Release
from serinus.clock import Instant
from serinus.controller.kubernetes import record
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.kubernetes.own_writes import OwnWrites
from serinus.controller.ports import Stored
from serinus.kube import kinds
from serinus.kube.client import Client
from serinus.kube.kinds import Kind
from serinus.kube.requests import PatchType
from serinus.release.holding import OUR_MANAGER
from serinus.release.model import Command
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


class ConfigMapRecords:
    """One ConfigMap a release, which holds all of it."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def load(self, name: str) -> Stored | None:
        """Return the record of a release, or None."""
        found = self._place.find(kinds.CONFIG_MAPS, record.record_name(name))
        if found is None:
            return None
        return Stored(record.from_config_map(found), found["metadata"]["resourceVersion"])

    async def refuse_stranger(self, name: str) -> None:
        """Raise RefusedError where somebody else's ConfigMap has the name of the record."""
        taken = record.record_name(name)
        found = await self._place.client.find(kinds.CONFIG_MAPS, taken, self._place.namespace)
        if found is None or record.is_record(found):
            return
        raise errors.RefusedError(
            "RecordTaken",
            f"ConfigMap {taken} is there and is no record of serinus, which needs the name for the "
            f"release of {name}: delete it or give it another name",
        )

    async def create(self, release: Release, *, dry_run: bool = False) -> None:
        """Write the first record of a release, or raise AlreadyExists."""
        try:
            written = await self._place.client.create(
                kinds.CONFIG_MAPS,
                record.to_config_map(release),
                self._place.namespace,
                field_manager=OUR_MANAGER,
                dry_run=dry_run,
            )
        except errors.AlreadyExists:
            await self.refuse_stranger(release.name)
            raise
        if not dry_run:
            self._place.made("create", kinds.CONFIG_MAPS, written)

    async def wish(self, stored: Stored, *, dry_run: bool = False) -> None:
        """Write another spec."""
        await self._write(stored.release, stored.version, dry_run=dry_run)

    async def command(self, stored: Stored, command: Command, *, dry_run: bool = False) -> None:
        """Write a command."""
        release = codec.with_command(stored.release, command)
        await self._write(release, stored.version, dry_run=dry_run)

    async def save(self, stored: Stored) -> Stored:
        """Write the status, and the command that it answers."""
        return Stored(stored.release, await self._write(stored.release, stored.version))

    async def leave(self, stored: Stored, now: Instant) -> None:
        """Mark the record as deleted."""
        release = msgspec.structs.replace(stored.release, deleted_ms=now)
        await self._write(release, stored.version)

    async def forget(self, name: str) -> None:
        """Delete the record."""
        await self._place.delete(
            kinds.CONFIG_MAPS, record.record_name(name), "the release is forgotten"
        )

    async def _write(self, release: Release, version: str, *, dry_run: bool = False) -> str:
        written = await self._place.client.replace(
            kinds.CONFIG_MAPS,
            record.to_config_map(release, version),
            self._place.namespace,
            field_manager=OUR_MANAGER,
            dry_run=dry_run,
        )
        if not dry_run:
            self._place.made("update", kinds.CONFIG_MAPS, written)
        after: str = written["metadata"]["resourceVersion"]
        return after


class ObjectRecords:
    """The CanaryRelease itself; its finalizer is there before anything of the user's is changed."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._before = ConfigMapRecords(place)

    def load(self, name: str) -> Stored | None:
        """Return the record of a release, also one that is still in a ConfigMap, or None."""
        found = self._place.find(kinds.CANARY_RELEASES, name)
        before = self._before.load(name)
        if found is None:
            return before
        release = codec.decode(found)
        if before is not None and not found.get("status"):
            # The move was cut short: the object is there, and what it must remember is not in it.
            release = msgspec.structs.replace(release, status=before.release.status)
        return Stored(release, found["metadata"]["resourceVersion"])

    async def refuse_stranger(self, name: str) -> None:
        """Do nothing: only a CanaryRelease can have the name of one."""

    async def create(self, release: Release, *, dry_run: bool = False) -> None:
        """Write the first record of a release, or raise AlreadyExists."""
        body = codec.encode(release)
        del body["status"]
        written = await self._place.client.create(
            kinds.CANARY_RELEASES,
            body,
            self._place.namespace,
            field_manager=OUR_MANAGER,
            dry_run=dry_run,
        )
        if not dry_run:
            self._place.made("create", kinds.CANARY_RELEASES, written)

    async def wish(self, stored: Stored, *, dry_run: bool = False) -> None:
        """Write another spec."""
        found = self._place.find(kinds.CANARY_RELEASES, stored.release.name)
        if found is None:
            await self._before.wish(stored, dry_run=dry_run)
            return
        meta = {**found["metadata"], "resourceVersion": stored.version}
        body = {**found, "metadata": meta, "spec": codec.encode(stored.release)["spec"]}
        written = await self._place.client.replace(
            kinds.CANARY_RELEASES,
            body,
            self._place.namespace,
            field_manager=OUR_MANAGER,
            dry_run=dry_run,
        )
        if not dry_run:
            self._place.made("update", kinds.CANARY_RELEASES, written)

    async def command(self, stored: Stored, command: Command, *, dry_run: bool = False) -> None:
        """Write a command."""
        name = stored.release.name
        if self._place.find(kinds.CANARY_RELEASES, name) is None:
            await self._before.command(stored, command, dry_run=dry_run)
            return
        annotations = {COMMAND_ANNOTATION: codec.encode_command(command)}
        await self._patch(
            name, stored.version, {"annotations": annotations}, dry_run=dry_run, verb="command"
        )

    async def save(self, stored: Stored) -> Stored:
        """Write the status, and put the finalizer there first."""
        name, version = stored.release.name, stored.version
        found = self._place.find(kinds.CANARY_RELEASES, name)
        if found is None:
            version = await self._move(stored)
            found = {"metadata": {"finalizers": [FINALIZER]}}
        finalizers = list(found["metadata"].get("finalizers") or ())
        if FINALIZER not in finalizers and not stored.release.leaving:
            version = await self._patch(name, version, {"finalizers": [*finalizers, FINALIZER]})
        body = codec.encode(stored.release)
        body["metadata"]["resourceVersion"] = version
        written = await self._place.client.replace(
            kinds.CANARY_RELEASES,
            body,
            self._place.namespace,
            field_manager=OUR_MANAGER,
            subresource="status",
        )
        self._place.made("update", kinds.CANARY_RELEASES, written)
        if self._before.load(name) is not None:
            await self._before.forget(name)
        return Stored(stored.release, written["metadata"]["resourceVersion"])

    async def leave(self, stored: Stored, now: Instant) -> None:
        """Delete the object; its finalizer keeps it until everything is put back."""
        name = stored.release.name
        found = self._place.find(kinds.CANARY_RELEASES, name)
        if found is None:
            await self._before.leave(stored, now)
            return
        if FINALIZER not in (found["metadata"].get("finalizers") or ()):
            await self.save(stored)
        await self._place.delete(kinds.CANARY_RELEASES, name, "the release is let go")

    async def forget(self, name: str) -> None:
        """Let the object go: take our finalizer off, and delete it where nobody has."""
        found = self._place.find(kinds.CANARY_RELEASES, name)
        if found is None:
            await self._before.forget(name)
            return
        meta = found["metadata"]
        rest = [f for f in meta.get("finalizers") or () if f != FINALIZER]
        await self._patch(name, meta["resourceVersion"], {"finalizers": rest})
        # With the last finalizer of one that was deleted the object goes.
        self._place.gone(kinds.CANARY_RELEASES, found)
        if not meta.get("deletionTimestamp"):
            await self._place.delete(kinds.CANARY_RELEASES, name, "the release is forgotten")

    async def _move(self, stored: Stored) -> str:
        """Create the object of a record that is in a ConfigMap; return its version."""
        body: dict[str, Any] = codec.encode(stored.release)
        del body["status"]
        body["metadata"]["finalizers"] = [FINALIZER]
        written = await self._place.client.create(
            kinds.CANARY_RELEASES, body, self._place.namespace, field_manager=OUR_MANAGER
        )
        self._place.made("create", kinds.CANARY_RELEASES, written)
        version: str = written["metadata"]["resourceVersion"]
        return version

    async def _patch(
        self,
        name: str,
        version: str,
        metadata: Manifest,
        *,
        verb: str = "update",
        dry_run: bool = False,
    ) -> str:
        written = await self._place.client.patch(
            kinds.CANARY_RELEASES,
            name,
            self._place.namespace,
            {"metadata": {"resourceVersion": version, **metadata}},
            patch_type=PatchType.MERGE,
            field_manager=OUR_MANAGER,
            dry_run=dry_run,
        )
        if not dry_run:
            self._place.made(verb, kinds.CANARY_RELEASES, written)
        after: str = written["metadata"]["resourceVersion"]
        return after
