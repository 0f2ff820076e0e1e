"""A router that follows a TrafficPlan of the cluster, and the EndpointSlices of its Services."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from serinus.install import traffic_plans
from serinus.install.settings import Settings
from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS, ENDPOINT_SLICES, TRAFFIC_PLANS
from serinus.process import spawn, stop
from tests.conformance import local_server
from tests.data_plane.asking import ask, ask_all, user
from tests.data_plane.pods import Pod, pod
from tests.data_plane.router import a_command, a_plan, a_port
from tests.data_plane.waiting import until_connectable

NAMESPACE = "default"
DEFINITION = traffic_plans.definition(Settings())


def a_kubeconfig(connection: Connection) -> str:
    cluster = {
        "server": connection.server,
        "certificate-authority-data": base64.b64encode(connection.ca or b"").decode(),
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": connection.token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


def a_slice(service: str, address: str, **conditions: bool) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {
        "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": True, **conditions}}],
        "ports": [{"name": "http", "port": int(port), "protocol": "TCP"}],
    }


class Bench:
    """The cluster, both pods, and the router's port."""

    def __init__(
        self,
        client: Client,
        pods: tuple[Pod, Pod],
        port: int,
        server: contextlib.AsyncExitStack,
    ) -> None:
        self.client, self.pods, self.port = client, pods, port
        self.stop_server = server.aclose

    async def status(self) -> dict[str, Any]:
        found = await self.client.get(TRAFFIC_PLANS, "shop", NAMESPACE)
        routers: dict[str, Any] = (found.get("status") or {}).get("routers") or {}
        return dict(routers.get("router-1") or {})

    async def told(self, **expected: Any) -> None:
        """Wait until the router says this of itself."""
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(20):
                while found.items() & expected.items() != expected.items():
                    found = await self.status()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{expected} was not told, but {found}") from None

    async def split(self, **parts: Any) -> None:
        body = {"spec": {"split": parts}}
        await self.client.patch(TRAFFIC_PLANS, "shop", NAMESPACE, body)

    async def slice(self, service: str, address: str, **conditions: bool) -> None:
        made = a_slice(service, address, **conditions)
        body = {key: made[key] for key in ("endpoints", "ports")}
        await self.client.patch(ENDPOINT_SLICES, service, NAMESPACE, body)


@contextlib.asynccontextmanager
async def routed(client: Client, connection: Connection, port: int) -> AsyncIterator[None]:
    with tempfile.TemporaryDirectory(prefix="router-") as name:
        folder = Path(name)
        (folder / "config").write_text(a_kubeconfig(connection))
        with (folder / "log").open("wb") as log:
            process = await spawn(
                [
                    *a_command(folder),
                    *("--plan-object", f"{NAMESPACE}/shop"),
                    *("--kubeconfig", str(folder / "config")),
                ],
                stderr=log,
                die_with_parent=True,
            )
        try:
            await until_connectable("127.0.0.1", port)
            yield
        finally:
            await stop(process, grace_ms=10_000)


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    async with (
        contextlib.AsyncExitStack() as server,
        pod("stable") as stable,
        pod("canary") as canary,
        contextlib.AsyncExitStack() as stack,
    ):
        connection = await server.enter_async_context(local_server.running())
        client = await stack.enter_async_context(Client(connection))
        await client.create(CUSTOM_RESOURCE_DEFINITIONS, DEFINITION)
        for service, found in (("shop-stable", stable), ("shop-canary", canary)):
            await client.create(ENDPOINT_SLICES, a_slice(service, found.address), NAMESPACE)
        plan = a_plan(a_port(), [], [])
        for version in ("stable", "canary"):
            plan["spec"][version] = {"service": f"shop-{version}"}
        await client.create(TRAFFIC_PLANS, plan, NAMESPACE)
        port = plan["spec"]["ports"][0]["listen"]
        await stack.enter_async_context(routed(client, connection, port))
        yield Bench(client, (stable, canary), port, server)


async def test_the_plan_and_its_endpoints_are_followed_and_what_is_in_force_is_told(
    bench: Bench,
) -> None:
    await bench.told(inForce=True, weightBp=0, stableEndpointCount=1, canaryEndpointCount=1)
    assert (await ask(bench.port, user("a"))).version == "stable"
    await bench.split(weight=100)
    await bench.told(inForce=True, weightBp=10_000, generation=2)
    assert (await ask(bench.port, user("a"))).version == "canary"


async def test_pods_are_followed_by_their_readiness(bench: Bench) -> None:
    stable, canary = bench.pods
    await bench.split(weight=100)
    await bench.told(weightBp=10_000)
    await bench.slice("shop-canary", canary.address, ready=False)
    await bench.told(weightBp=0, canaryEndpointCount=0)
    assert {a.version for a in await ask_all(bench.port, [user("a")] * 20)} == {"stable"}
    # The last that serve are used while they end.
    await bench.slice("shop-canary", canary.address, ready=False, serving=True, terminating=True)
    await bench.told(weightBp=10_000, canaryEndpointCount=1)
    await bench.slice("shop-stable", stable.address, ready=False)
    await bench.told(stableEndpointCount=0)
    assert {a.version for a in await ask_all(bench.port, [user("a")] * 20)} == {"canary"}


async def test_a_broken_plan_is_told_in_the_status_and_the_last_good_one_stays(
    bench: Bench,
) -> None:
    await bench.split(weight=100)
    await bench.told(weightBp=10_000)
    await bench.split(weight=101)
    await bench.told(inForce=False, generation=2, inForceGeneration=2)
    assert "spec.split.weight: 101 is outside 0..100" in (await bench.status())["problem"]
    assert (await ask(bench.port, user("a"))).version == "canary"


async def test_a_deleted_plan_changes_nothing(bench: Bench) -> None:
    await bench.split(weight=100)
    await bench.told(weightBp=10_000)
    await bench.client.delete(TRAFFIC_PLANS, "shop", NAMESPACE)
    assert {a.version for a in await ask_all(bench.port, [user("a")] * 50)} == {"canary"}


async def test_a_router_goes_on_without_the_api_server(bench: Bench) -> None:
    await bench.split(weight=100)
    await bench.told(weightBp=10_000)
    await bench.stop_server()
    assert {a.version for a in await ask_all(bench.port, [user("a")] * 50)} == {"canary"}
