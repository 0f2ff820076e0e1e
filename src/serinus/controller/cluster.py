"""The cluster port over a real API server: caches to read from, the client to write with.

After a write the caches are waited for, so that the next round never decides on a world older than
what it did itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Self

import msgspec

from serinus import errors
from serinus.api.codec import Release
from serinus.controller import record
from serinus.controller.ports import Snapshot, Stored
from serinus.kube import kinds
from serinus.kube.cache import Cache, CacheSetting, Changes
from serinus.kube.client import Client
from serinus.kube.kinds import Kind
from serinus.kube.requests import PatchType
from serinus.release.model import Spec
from serinus.release.preflight import OUR_MANAGER
from serinus.traffic.plan import Manifest
from serinus.traffic.write import Verb, Write

REACH_TIMEOUT_MS = 2_000
"""A server that is being restarted is back within this time."""
SYNC_TIMEOUT_MS = 20_000
FOLLOW_TIMEOUT_MS = 10_000
_PATCHES = {
    Verb.MERGE: PatchType.MERGE,
    Verb.STRATEGIC: PatchType.STRATEGIC,
    Verb.JSON: PatchType.JSON,
}
_KINDS = {
    (kind.api_version, kind.kind): kind
    for kind in (
        kinds.SERVICES,
        kinds.CONFIG_MAPS,
        kinds.DEPLOYMENTS,
        kinds.REPLICA_SETS,
    )
}


class _Expected(msgspec.Struct, frozen=True):
    """What a cache must show before it may be read again."""

    kind: Kind
    name: str
    version: str
    deleted_uid: str = ""


class KubernetesCluster:
    """One namespace of a real cluster; `async with` opens and closes the caches."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self.changes = Changes()
        self.on_write: Callable[[str], None] = lambda _: None
        """Told of each write that was made, but for those to Leases."""
        self._setting = CacheSetting(changes=self.changes)
        self._caches: dict[Kind, Cache[Any]] = {}
        self._optional: set[Kind] = {kinds.HORIZONTAL_POD_AUTOSCALERS}
        self._pods: dict[str, Cache[Any]] = {}
        self._expected: dict[tuple[Kind, str], _Expected] = {}

    async def __aenter__(self) -> Self:
        await self._reached()
        for kind in (
            kinds.DEPLOYMENTS,
            kinds.REPLICA_SETS,
            kinds.SERVICES,
            kinds.ENDPOINT_SLICES,
            kinds.HORIZONTAL_POD_AUTOSCALERS,
        ):
            self._open(kind)
        self._open(kinds.CONFIG_MAPS, record.RECORD_SELECTOR)
        try:
            await asyncio.gather(*(self._synced(kind) for kind in list(self._caches)))
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _reached(self) -> None:
        """Wait for a first answer: who named a wrong cluster wants to hear so at once.

        Raises:
            Unavailable: there was none.
        """
        deadline = asyncio.get_running_loop().time() + REACH_TIMEOUT_MS / 1000
        while True:
            try:
                await self.client.version()
            except errors.Unavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.2)
            except errors.ClusterError:
                # It is there and says no; whatever matters is asked for next.
                return
            else:
                return

    async def close(self) -> None:
        """Stop to follow the cluster."""
        await asyncio.gather(*(c.close() for c in (*self._caches.values(), *self._pods.values())))

    async def load(self, name: str) -> Stored | None:
        """Return the record of a release, or None."""
        await self._followed()
        found = self._caches[kinds.CONFIG_MAPS].get(record.record_name(name))
        if found is None:
            return None
        return Stored(record.from_config_map(found), found["metadata"]["resourceVersion"])

    async def create(self, release: Release, *, dry_run: bool = False) -> None:
        """Write the first record of a release.

        Raises:
            AlreadyExists: there is one.
            RefusedError: somebody else's ConfigMap has its name.
        """
        try:
            written = await self.client.create(
                kinds.CONFIG_MAPS,
                record.to_config_map(release),
                self.namespace,
                field_manager=OUR_MANAGER,
                dry_run=dry_run,
            )
        except errors.AlreadyExists:
            await self.refuse_stranger(release.name)
            raise
        if not dry_run:
            self.on_write(f"create {_record_words(written)}")
            self._expect(kinds.CONFIG_MAPS, written)

    async def refuse_stranger(self, name: str) -> None:
        """Do nothing where the record's name is free or a record has it.

        Raises:
            RefusedError: somebody else's ConfigMap has it.
        """
        found = await self.client.find(kinds.CONFIG_MAPS, record.record_name(name), self.namespace)
        if found is None or record.is_record(found):
            return
        raise errors.RefusedError(
            "RecordTaken",
            f"ConfigMap {record.record_name(name)} is there and is no record of serinus, which "
            f"needs the name for the release of {name}: delete it or give it another name",
        )

    async def save(self, stored: Stored, *, dry_run: bool = False) -> Stored:
        """Write a record back where it still has the version at which it was read."""
        written = await self.client.replace(
            kinds.CONFIG_MAPS,
            record.to_config_map(stored.release, stored.version),
            self.namespace,
            field_manager=OUR_MANAGER,
            dry_run=dry_run,
        )
        if not dry_run:
            self.on_write(f"update {_record_words(written)}")
            self._expect(kinds.CONFIG_MAPS, written)
        return Stored(stored.release, written["metadata"]["resourceVersion"])

    async def forget(self, name: str) -> None:
        """Delete the record of a release and the lease that goes with it."""
        for kind in (kinds.CONFIG_MAPS, kinds.LEASES):
            try:
                await self.client.delete(kind, record.record_name(name), self.namespace)
                where = f"{self.namespace}/{record.record_name(name)}"
                self.on_write(f"delete {kind.kind} {where}: the release is forgotten")
            except errors.NotFound:
                continue

    async def read(self, spec: Spec) -> Snapshot:
        """Return the objects around a release, no older than our own last write."""
        await self._followed()
        target = self._caches[kinds.DEPLOYMENTS].get(spec.target)
        pods = () if target is None else await self.pods(target["spec"]["selector"])
        service = self._caches[kinds.SERVICES].get(spec.service) if spec.service else None
        return Snapshot(
            target=target,
            service=service,
            deployments=self._all(kinds.DEPLOYMENTS),
            replica_sets=self._all(kinds.REPLICA_SETS),
            pods=pods,
            services=self._all(kinds.SERVICES),
            slices=tuple(
                s
                for s in self._all(kinds.ENDPOINT_SLICES)
                if (s["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
                == spec.service
            ),
            autoscalers=self._all(kinds.HORIZONTAL_POD_AUTOSCALERS),
        )

    async def send(self, write: Write) -> None:
        """Send one write as our field manager."""
        written = await self._send(write, dry_run=False)
        self.on_write(f"{write.verb.value} {write.target}: {write.why}")
        if written is not None:
            self._expect(_kind_of(write), written)

    async def rehearse(self, write: Write) -> Manifest | None:
        """Let the API server check a write that is not made; return what it would store.

        Raises:
            ClusterError: it would be refused.
        """
        return await self._send(write, dry_run=True)

    async def _send(self, write: Write, *, dry_run: bool) -> Manifest | None:
        target, kind = write.target, _kind_of(write)
        if write.verb is Verb.DELETE:
            await self._delete(kind, write, dry_run=dry_run)
            return None
        if write.verb is Verb.CREATE:
            return await self.client.create(
                kind, write.body, target.namespace, field_manager=OUR_MANAGER, dry_run=dry_run
            )
        if write.verb is Verb.APPLY:
            return await self.client.apply(
                kind,
                write.body,
                target.namespace,
                field_manager=OUR_MANAGER,
                force=True,
                dry_run=dry_run,
            )
        return await self.client.patch(
            kind,
            target.name,
            target.namespace,
            write.body,
            patch_type=_PATCHES[write.verb],
            field_manager=OUR_MANAGER,
            subresource=write.subresource,
            dry_run=dry_run,
        )

    async def _delete(self, kind: Kind, write: Write, *, dry_run: bool) -> None:
        try:
            await self.client.delete(
                kind,
                write.target.name,
                write.target.namespace,
                propagation=None if write.propagation is None else write.propagation.value,
                uid=write.uid,
                resource_version=write.resource_version,
                dry_run=dry_run,
            )
        except errors.NotFound:
            return
        if kind in self._caches and write.uid and not dry_run:
            key = (kind, write.target.name)
            self._expected[key] = _Expected(kind, write.target.name, "", deleted_uid=write.uid)

    def _open(self, kind: Kind, label_selector: str | None = None) -> None:
        cache: Cache[Any] = Cache(
            self.client, kind, self.namespace, label_selector=label_selector, setting=self._setting
        )
        cache.start()
        self._caches[kind] = cache

    async def _synced(self, kind: Kind) -> None:
        try:
            await self._caches[kind].synced(SYNC_TIMEOUT_MS)
        except (errors.NotFound, errors.Forbidden):
            if kind not in self._optional:
                raise
            await self._caches.pop(kind).close()

    def _all(self, kind: Kind) -> tuple[Manifest, ...]:
        cache = self._caches.get(kind)
        return () if cache is None else tuple(cache.items())

    async def pods(self, selector: Manifest) -> tuple[Manifest, ...]:
        """Return the pods that a LabelSelector takes, and follow only those from now on.

        A namespace may have thousands of others.
        """
        text = selector_text(selector)
        if text not in self._pods:
            cache: Cache[Any] = Cache(
                self.client,
                kinds.PODS,
                self.namespace,
                label_selector=text,
                setting=self._setting,
            )
            cache.start()
            self._pods[text] = cache
            await cache.synced(SYNC_TIMEOUT_MS)
        return tuple(self._pods[text].items())

    def _expect(self, kind: Kind, written: Mapping[str, Any]) -> None:
        if kind in self._caches:
            meta = written["metadata"]
            expected = _Expected(kind, meta["name"], meta["resourceVersion"])
            self._expected[kind, meta["name"]] = expected

    async def _followed(self) -> None:
        """Wait until the caches show our own writes."""
        deadline = asyncio.get_running_loop().time() + FOLLOW_TIMEOUT_MS / 1000
        while True:
            count = self.changes.count
            self._expected = {k: e for k, e in self._expected.items() if not self._shows(e)}
            if not self._expected:
                return
            left_ms = int(1000 * (deadline - asyncio.get_running_loop().time()))
            if left_ms <= 0:
                late = ", ".join(f"{e.kind.kind} {e.name}" for e in self._expected.values())
                self._expected.clear()
                raise errors.Unavailable(
                    f"the API server's watch did not show our own write of {late} within "
                    f"{FOLLOW_TIMEOUT_MS // 1000} s"
                )
            await self.changes.wait(left_ms, since_count=count)

    def _shows(self, expected: _Expected) -> bool:
        cache = self._caches.get(expected.kind)
        if cache is None:
            return True
        found = cache.get(expected.name)
        if expected.deleted_uid:
            if found is None or found["metadata"]["uid"] != expected.deleted_uid:
                return True
            return bool(found["metadata"].get("deletionTimestamp"))
        # Versions of one resource can be compared as numbers: the API concepts page since 1.35.
        seen = found["metadata"]["resourceVersion"] if found else cache.resource_version
        return _number(seen) >= _number(expected.version)


def _kind_of(write: Write) -> Kind:
    return _KINDS[write.target.api_version, write.target.kind]


def _record_words(written: Manifest) -> str:
    meta = written["metadata"]
    return f"ConfigMap {meta['namespace']}/{meta['name']}: the record of the release"


def selector_text(selector: Manifest) -> str:
    """Return a LabelSelector as the text form of a list request."""
    parts = [f"{k}={v}" for k, v in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        key, operator = expression["key"], expression["operator"]
        values = ",".join(expression.get("values") or ())
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[operator]
        )
    return ",".join(parts)


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
