"""The cluster port over a real API server: caches to read from, the client to write with.

After a write the caches are waited for, so that the next round never decides on a world older than
what it did itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from serinus import errors
from serinus.controller.kubernetes import record
from serinus.controller.kubernetes.caches import ROUTER_KINDS, Caches
from serinus.controller.kubernetes.own_writes import OwnWrites
from serinus.controller.kubernetes.place import Place
from serinus.controller.kubernetes.records import records
from serinus.controller.ports import Snapshot, Stored
from serinus.kube import kinds
from serinus.kube.kinds import Kind
from serinus.kube.requests import PatchType
from serinus.release.holding import OUR_MANAGER
from serinus.release.model import Spec
from serinus.release.render import CANARY_OF_LABEL
from serinus.traffic.naming import LABEL_VALUE_MAX, shorten
from serinus.traffic.plan import Manifest
from serinus.traffic.write import Verb, Write

_PATCHES = {
    Verb.MERGE: PatchType.MERGE,
    Verb.STRATEGIC: PatchType.STRATEGIC,
    Verb.JSON: PatchType.JSON,
}
_KINDS = {
    (kind.api_version, kind.kind): kind
    for kind in (
        kinds.SERVICES,
        kinds.DEPLOYMENTS,
        kinds.REPLICA_SETS,
        kinds.POD_DISRUPTION_BUDGETS,
        *ROUTER_KINDS,
    )
}


class KubernetesCluster:
    """One namespace of a real cluster, as one driver sees it."""

    def __init__(self, caches: Caches, namespace: str) -> None:
        self.caches, self.client, self.namespace = caches, caches.client, namespace
        self.changes = caches.changes
        self.own = OwnWrites(caches)
        self._place = Place(caches, namespace, self.own)
        self.records = records(self._place)

    @contextlib.contextmanager
    def fenced(self, may_write: Callable[[], bool]) -> Iterator[None]:
        """Ask before each write of the block whether it may still be made."""
        free = self.client
        self.client = self._place.client = free.fenced(may_write)
        try:
            yield
        finally:
            self.client = self._place.client = free

    async def load(self, name: str) -> Stored | None:
        """Return the record of a release, or None."""
        await self.own.followed()
        return self.records.load(name)

    async def save(self, stored: Stored) -> Stored:
        """Write a record back where it still has the version at which it was read."""
        return await self.records.save(stored)

    async def read(self, spec: Spec) -> Snapshot:
        """Return the objects around a release, no older than our own last write."""
        await self.own.followed()
        return await self.caches.snapshot(self.namespace, spec)

    async def current(self, spec: Spec) -> Snapshot:
        """Return Deployment, Service and canaries as the API server has them, past all caches."""
        mark = f"{CANARY_OF_LABEL}={shorten(spec.target, LABEL_VALUE_MAX)}"
        canaries = await self.client.list(kinds.DEPLOYMENTS, self.namespace, label_selector=mark)
        target = await self.client.find(kinds.DEPLOYMENTS, spec.target, self.namespace)
        service = None
        if spec.service:
            service = await self.client.find(kinds.SERVICES, spec.service, self.namespace)
        return Snapshot(target=target, service=service, deployments=tuple(canaries.items))

    async def everything(self, service: str = "") -> Snapshot:
        """Return the whole namespace, with the endpoints of one Service."""
        await self.own.followed()
        return await self.caches.everything(self.namespace, service)

    async def pods(self, selector: Manifest) -> tuple[Manifest, ...]:
        """Return the pods that a LabelSelector takes."""
        return await self.caches.pods(self.namespace, selector)

    async def forget(self, name: str) -> None:
        """Delete the record of a release and the Lease that goes with it."""
        await self.records.forget(name)
        lease = record.record_name(name)
        try:
            await self.client.delete(kinds.LEASES, lease, self.namespace)
        except errors.NotFound:
            return
        self.own.on_write(f"delete Lease {self.namespace}/{lease}: the release is forgotten")

    async def send(self, write: Write) -> None:
        """Send one write as our field manager."""
        written = await self._send(write, dry_run=False)
        self.own.on_write(f"{write.verb.value} {write.target}: {write.why}")
        if written is not None:
            self.own.made(_kind_of(write), written)
        elif write.uid:
            target = write.target
            self.own.deleted(_kind_of(write), target.namespace, target.name, write.uid)

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


def _kind_of(write: Write) -> Kind:
    return _KINDS[write.target.api_version, write.target.kind]
