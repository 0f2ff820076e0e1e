"""Who slept through its lease writes nothing any more, wherever in a round it wakes up."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from serinus.api.codec import Release
from serinus.controller import run
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.errors import Unavailable
from serinus.kube import kinds
from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.traffic.write import ObjectRef, Verb, Write
from tests.conformance import local_server
from tests.unit.kubernetes_model.workloads.world import a_deployment
from tests.unit.release.world import a_spec

PAUSE = Write(
    Verb.MERGE,
    ObjectRef("apps/v1", "Deployment", "default", "shop"),
    "hold it",
    {"spec": {"paused": True}},
)


class Clock:
    """A wall clock that can be put forward, as one goes on while a process stands still."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


@pytest_asyncio.fixture(loop_scope="function")
async def connection() -> AsyncIterator[Connection]:
    async with local_server.running() as found:
        yield found


async def test_a_driver_that_slept_through_its_lease_writes_nothing(connection: Connection) -> None:
    clock = Clock()
    async with Client(connection) as client, Caches(client, "default") as caches:
        await client.create(kinds.DEPLOYMENTS, a_deployment("shop"), "default")
        cluster = KubernetesCluster(caches, "default")
        async with run.driving(cluster, "shop", clock) as lease:
            await cluster.records.create(Release("shop", "default", a_spec()))
            stored = await cluster.load("shop")
            assert stored is not None
            before = await client.get(kinds.DEPLOYMENTS, "shop", "default")
            clock.ahead_ms = run.LEASE.duration_ms
            assert not lease.is_held
            with pytest.raises(Unavailable, match="by now another may lead"):
                await cluster.send(PAUSE)
            with pytest.raises(Unavailable, match="by now another may lead"):
                await cluster.save(stored)
            with pytest.raises(Unavailable, match="by now another may lead"):
                await cluster.forget("shop")
        assert await client.get(kinds.DEPLOYMENTS, "shop", "default") == before
        assert await cluster.load("shop") == stored
        # What does not ask for a lease writes on.
        await cluster.send(PAUSE)
