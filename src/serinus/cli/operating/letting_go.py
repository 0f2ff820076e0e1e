"""Let all releases go before the installation is removed: by the operator, or by driving here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from serinus import errors
from serinus.cli.release_verbs.steering import steering
from serinus.cli.report import Lines
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.errors import RefusedError
from serinus.kube.client import Client
from serinus.process import SystemClock
from serinus.traffic.plan import Manifest


async def let_go(client: Client, found: Sequence[Manifest], *, limit_ms: int) -> None:
    """Give the Deployments and Services of CanaryReleases back to their owners.

    Raises:
        RefusedError: it took longer than the limit; the same command goes on with it.
    """
    try:
        async with asyncio.timeout(limit_ms / 1000):
            for namespace in sorted({r["metadata"]["namespace"] for r in found}):
                names = [
                    r["metadata"]["name"] for r in found if r["metadata"]["namespace"] == namespace
                ]
                async with Caches(client, namespace) as caches:
                    await asyncio.gather(*(_leave(caches, namespace, name) for name in names))
    except TimeoutError as error:
        raise RefusedError(
            "Timeout", "not every release was let go in time; the same command goes on with it"
        ) from error


async def _leave(caches: Caches, namespace: str, name: str) -> None:
    cluster = KubernetesCluster(caches, namespace)
    lines = Lines(f"{namespace}/{name}")
    # Whoever drives forgets the record at the end.
    with contextlib.suppress(errors.NotFound):
        async with steering(cluster, name, lines, keep=False) as go:
            stored = await cluster.load(name)
            if stored is None:
                return
            await cluster.records.leave(stored, SystemClock().now_ms())
            await go(lambda done: done.decision.gone)
    lines.say(f"{namespace}/{name} is let go")
