"""The caches of an operator: what is found by index is what a look at the whole namespace finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest_asyncio

from serinus.api.codec import Release
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.observe import observe
from serinus.kube import kinds
from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.release.render import CANARY_OF_LABEL
from tests.conformance import local_server
from tests.unit.kubernetes_model.workloads.world import a_deployment
from tests.unit.release.world import a_service, a_spec


@pytest_asyncio.fixture(loop_scope="function")
async def connection() -> AsyncIterator[Connection]:
    async with local_server.running() as found:
        yield found


def deployment(name: str, **labels: str) -> dict[str, Any]:
    body = a_deployment(name, selector={"matchLabels": labels})
    body["spec"]["template"]["metadata"]["labels"] = labels
    return body


async def settled(caches: Caches, deployment_count: int) -> None:
    """Wait until each Deployment's ReplicaSet is there with its pods."""
    async with asyncio.timeout(20):
        while True:
            count = caches.changes.count
            sets = caches.all(kinds.REPLICA_SETS)
            full = [rs for rs in sets if (rs.get("status") or {}).get("replicas")]
            if len(full) == deployment_count and len(caches.all(kinds.PODS)) == 3 * len(full):
                return
            await caches.changes.wait(1_000, since_count=count)


async def test_a_release_is_seen_alike_by_index_and_in_the_whole_namespace(
    connection: Connection,
) -> None:
    async with Client(connection) as client:
        shop = await client.create(kinds.DEPLOYMENTS, deployment("shop", app="shop"), "default")
        canary = deployment("shop-rev2", app="shop", extra="one")
        canary["metadata"]["labels"] = {CANARY_OF_LABEL: "shop"}
        canary["metadata"]["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
            | {"uid": shop["metadata"]["uid"]}
        ]
        strangers = [deployment(f"other-{n}", app=f"other-{n}") for n in range(3)]
        broader = deployment("broader", app="shop")
        for body in (canary, broader, *strangers):
            await client.create(kinds.DEPLOYMENTS, body, "default")
        await client.create(kinds.SERVICES, a_service(), "default")
        release = Release("shop", "default", a_spec())
        async with Caches(client, None, shared=True) as caches:
            await settled(caches, 6)
            narrow = await caches.snapshot("default", release.spec)
            whole = await caches.everything("default", release.spec.service)
            pods = await caches.pods("default", shop["spec"]["selector"])
            whole = msgspec.structs.replace(
                whole, target=caches.get(kinds.DEPLOYMENTS, "default", "shop"), pods=pods
            )
            seen, expected = (observe(release, s).observation for s in (narrow, whole))
            names = {d["metadata"]["name"] for d in narrow.deployments}
    assert seen == expected
    assert seen.broader == ("broader",)
    assert names == {"shop", "shop-rev2", "broader"}


async def test_pods_and_services_of_others_are_not_looked_at(connection: Connection) -> None:
    async with Client(connection) as client:
        for name in ("shop", "other"):
            await client.create(kinds.DEPLOYMENTS, deployment(name, app=name), "default")
            service = a_service()
            service["metadata"]["name"] = name
            service["spec"]["selector"] = {"app": name}
            await client.create(kinds.SERVICES, service, "default")
        async with Caches(client, None, shared=True) as caches:
            await settled(caches, 2)
            seen = await caches.snapshot("default", a_spec())
            takers = caches.deployments_that_take("default", {"app": "shop", "x": "y"})
    assert {p["metadata"]["labels"]["app"] for p in seen.pods} == {"shop"}
    assert [s["metadata"]["name"] for s in seen.services] == ["shop"]
    assert [d["metadata"]["name"] for d in takers] == ["shop"]
    assert all("managedFields" not in rs["metadata"] for rs in seen.replica_sets)
