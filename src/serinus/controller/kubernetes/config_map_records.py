"""Records in ConfigMaps, where the cluster has no CanaryReleases."""

from __future__ import annotations

import msgspec

from serinus import errors
from serinus.api import codec
from serinus.api.codec import Release
from serinus.clock import Instant
from serinus.controller.kubernetes import record
from serinus.controller.kubernetes.place import Place
from serinus.controller.ports import Stored
from serinus.kube import kinds
from serinus.release.holding import OUR_MANAGER
from serinus.release.model import Command
from serinus.traffic.plan import Manifest


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

    async def show(self, name: str, status: Manifest) -> None:
        """Do nothing: what keeps a release in a ConfigMap from going on is told by its driver."""

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
