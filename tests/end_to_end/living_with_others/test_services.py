"""Budgets, evictions, and others who write the Service while it is narrowed."""

from __future__ import annotations

import json

import pytest

from serinus.load.outcome import ConnectionKind
from tests.control_plane.bench import ControlPlane
from tests.end_to_end.living_with_others.shop import CANARY, HASH, Shop
from tests.end_to_end.stage import measure, under_load
from tests.end_to_end.terminal import service

pytestmark = pytest.mark.xdist_group("local-cluster")

NEW = (ConnectionKind.NEW,)
NARROWED = ("--steps", "50,100,pause", "--settle", "1s")
SERVICE = service("shop", type="NodePort")
BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "shop"},
    "spec": {"minAvailable": 3, "selector": {"matchLabels": {"app": "shop"}}},
}


async def evict(shop: Shop, name: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    path = shop.kubeconfig.with_name("eviction.json")
    path.write_text(json.dumps(body))
    url = f"/api/v1/namespaces/{shop.namespace}/pods/{name}/eviction"
    await shop.kubectl("create", "--raw", url, "-f", path)


async def narrowed(shop: Shop) -> bool:
    return HASH in await shop.selector()


async def open_again(shop: Shop) -> bool:
    return not await narrowed(shop)


async def test_evictions_of_all_pods_that_serve_open_the_service(shop: Shop) -> None:
    # New pods take their time, so that there is a while in which none of the canary serves.
    probe = {"exec": {"command": ["true"]}, "initialDelaySeconds": 4, "periodSeconds": 1}
    await shop.open(container={"readinessProbe": probe})
    await shop.create(BUDGET)
    await shop.release(CANARY, *NARROWED)
    serving = [
        p["metadata"]["name"]
        for p in await shop.pods()
        if p["spec"]["containers"][0]["image"] == CANARY
    ]
    assert await narrowed(shop)
    async with under_load(shop.url, rate=100, kinds=NEW) as result:
        async with shop.driven("release", "shop", f"web={CANARY}", *NARROWED, "--wait"):
            # The budget counts the three pods of stable, too, which serve nobody now.
            for name in serving:
                await evict(shop, name)
            await shop.until(lambda: open_again(shop), "the Service is opened")
            await shop.until(lambda: narrowed(shop), "new pods serve, and it is narrowed again")
        await shop.serinus("promote", "shop")
        await shop.until_rests(CANARY)
    report = await result
    print(f"{report.failed_count} of {report.planned_count} requests failed")
    assert report.failed_count == 0, report.examples


async def test_the_unchanged_manifest_of_the_service_leaves_it_narrowed(shop: Shop) -> None:
    await shop.open()
    await shop.release(CANARY, *NARROWED)
    async with under_load(shop.url, rate=100, kinds=NEW) as result:
        await shop.apply(SERVICE)
        assert await narrowed(shop)
        await shop.serinus("promote", "shop")
        await shop.until_rests(CANARY)
    report = await result
    assert report.failed_count == 0, report.examples


async def test_a_server_side_apply_of_the_service_opens_it_and_the_release_ends_all_the_same(
    shop: Shop,
) -> None:
    await shop.open()
    await shop.release(CANARY, *NARROWED)
    async with under_load(shop.url, rate=100, kinds=NEW) as result:
        await shop.apply(SERVICE, options=("--server-side", "--force-conflicts"))
        assert await open_again(shop)
        await shop.serinus("promote", "shop")
        await shop.until_rests(CANARY)
    report = await result
    print(f"{report.failed_count} of {report.planned_count} requests failed")
    assert report.failed_count == 0, report.examples


async def test_a_client_that_sticks_to_its_pod_never_sees_the_canary(
    shop: Shop, proxied: ControlPlane
) -> None:
    await shop.open(sessionAffinity="ClientIP")
    refused = await shop.try_("serinus", "release", "shop", f"web={CANARY}", "--weight", "50")
    assert refused.code == 1
    assert "ClientIP" in refused.stderr
    await shop.release(CANARY, "--weight", "50", "--settle", "1s", "--allow-coarse")
    report = await measure(shop.url, request_count=300)
    assert report.failed_count == 0, report.examples
    assert report.answered_by("1.8.0") == 0
    await shop.serinus("abort", "shop")
