"""Records that are CanaryReleases, and the way there from a ConfigMap.

A record that was begun in a ConfigMap moves into the object with the first status that a driver
saves; until then both verbs and drivers go on with it where it is.
"""

from __future__ import annotations

import msgspec

from serinus.api import codec
from serinus.api.codec import COMMAND_ANNOTATION, FINALIZER, Release
from serinus.clock import Instant
from serinus.controller.kubernetes.config_map_records import ConfigMapRecords
from serinus.controller.kubernetes.place import Place
from serinus.controller.ports import Stored
from serinus.kube import kinds
from serinus.kube.requests import PatchType
from serinus.release.holding import OUR_MANAGER
from serinus.release.model import Command
from serinus.traffic.plan import Manifest


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
        await self._create(codec.encode(release), dry_run=dry_run)

    async def wish(self, stored: Stored, *, dry_run: bool = False) -> None:
        """Write another spec."""
        found = self._place.find(kinds.CANARY_RELEASES, stored.release.name)
        if found is None:
            await self._before.wish(stored, dry_run=dry_run)
            return
        meta = {**found["metadata"], "resourceVersion": stored.version}
        spec = codec.encode(stored.release)["spec"]
        await self._replace({**found, "metadata": meta, "spec": spec}, dry_run=dry_run)

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
        after = await self._replace(body, subresource="status")
        if self._before.load(name) is not None:
            await self._before.forget(name)
        return Stored(stored.release, after)

    async def show(self, name: str, status: Manifest) -> None:
        """Write a status as it stands, where nobody wrote the record since."""
        found = self._place.find(kinds.CANARY_RELEASES, name)
        if found is not None:
            await self._replace({**found, "status": status}, subresource="status")

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
        body = codec.encode(stored.release)
        body["metadata"]["finalizers"] = [FINALIZER]
        return await self._create(body)

    async def _create(self, body: Manifest, *, dry_run: bool = False) -> str:
        """Create an object, whose status is written apart; return its version."""
        written = await self._place.client.create(
            kinds.CANARY_RELEASES,
            {field: value for field, value in body.items() if field != "status"},
            self._place.namespace,
            field_manager=OUR_MANAGER,
            dry_run=dry_run,
        )
        return self._noted("create", written, dry_run=dry_run)

    async def _replace(
        self, body: Manifest, *, subresource: str | None = None, dry_run: bool = False
    ) -> str:
        written = await self._place.client.replace(
            kinds.CANARY_RELEASES,
            body,
            self._place.namespace,
            field_manager=OUR_MANAGER,
            subresource=subresource,
            dry_run=dry_run,
        )
        return self._noted("update", written, dry_run=dry_run)

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
        return self._noted(verb, written, dry_run=dry_run)

    def _noted(self, verb: str, written: Manifest, *, dry_run: bool) -> str:
        """Note a write unless it was a rehearsal; return the version of the object."""
        if not dry_run:
            self._place.made(verb, kinds.CANARY_RELEASES, written)
        version: str = written["metadata"]["resourceVersion"]
        return version
