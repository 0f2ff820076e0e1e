"""All that observe, reconcile and act await: the cluster as a release sees it.

The production code behind it speaks to an API server; a simulation may put a model in its place.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from serinus.api.codec import Release
from serinus.release.model import Spec
from serinus.release.observation import HoldBy
from serinus.traffic.plan import Manifest, RouterParts
from serinus.traffic.write import Write


class Snapshot(msgspec.Struct, frozen=True):
    """What is around a release at one moment, as plain JSON; `pods` are of both revisions."""

    target: Manifest | None = None
    service: Manifest | None = None
    deployments: tuple[Manifest, ...] = ()
    replica_sets: tuple[Manifest, ...] = ()
    pods: tuple[Manifest, ...] = ()
    services: tuple[Manifest, ...] = ()
    slices: tuple[Manifest, ...] = ()
    autoscalers: tuple[Manifest, ...] = ()
    budgets: tuple[Manifest, ...] = ()
    hold_by: HoldBy = HoldBy.FIELD
    parts: RouterParts = RouterParts()


class Stored(msgspec.Struct, frozen=True):
    """A record and the version at which it was read."""

    release: Release
    version: str


class Cluster(Protocol):
    """What a release needs of the world."""

    async def load(self, name: str) -> Stored | None:
        """Return the record of a release, or None."""
        ...

    async def save(self, stored: Stored) -> Stored:
        """Write a record back where it still has the version at which it was read.

        Raises:
            Conflict: somebody wrote it since; nothing was written.
        """
        ...

    async def forget(self, name: str) -> None:
        """Delete the record of a release: nothing of it is left.

        Raises:
            ClusterError: it was not done.
        """
        ...

    async def read(self, spec: Spec) -> Snapshot:
        """Return the objects around a release, no older than our own last write."""
        ...

    async def current(self, spec: Spec) -> Snapshot:
        """Return Deployment, Service and canaries as the API server has them, past all caches.

        Raises:
            ClusterError: it did not answer.
        """
        ...

    async def send(self, write: Write) -> None:
        """Send one write.

        Raises:
            ClusterError: it was not done.
        """
        ...
