"""A HorizontalPodAutoscaler on the stable Deployment, at 85 % of its target."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from serinus.kube import config
from serinus.kube.client import Client
from serinus.load.outcome import ConnectionKind
from tests.control_plane import metrics_stub
from tests.control_plane.bench import ControlPlane
from tests.control_plane.metrics_stub import MetricsStub
from tests.end_to_end.living_with_others.shop import CANARY, STABLE, Shop
from tests.end_to_end.stage import under_load

pytestmark = pytest.mark.timeout(240)

HALF = ("--steps", "50,pause", "--settle", "1s")


@pytest_asyncio.fixture
async def metrics(real: ControlPlane) -> AsyncIterator[MetricsStub]:
    """The metrics API, to which every pod seems to use 85 % of the target."""
    async with (
        Client(config.load(real.kubeconfig)) as client,
        metrics_stub.running(client) as stub,
    ):
        stub.usage_of = lambda _: {"cpu": "1m", "memory": "85Mi"}
        yield stub


async def with_autoscaler(shop: Shop, most: int) -> None:
    """Run a shop of four pods, and wait until the autoscaler has looked at it."""
    await shop.open(replicas=4)
    target = {"type": "AverageValue", "averageValue": "100Mi"}
    metric = {"type": "Resource", "resource": {"name": "memory", "target": target}}
    await shop.create(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "shop"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
                "minReplicas": 4,
                "maxReplicas": most,
                "metrics": [metric],
            },
        }
    )

    async def looked() -> bool:
        status = (await shop.object("hpa", "shop")).get("status") or {}
        return bool(status.get("currentMetrics"))

    await shop.until(looked, "the autoscaler has looked")


async def test_an_autoscaler_that_would_run_away_is_refused_with_how_that_would_begin(
    shop: Shop, metrics: MetricsStub
) -> None:
    await with_autoscaler(shop, 30)
    refused = await shop.try_("serinus", "release", "shop", f"web={CANARY}", *HALF)
    assert refused.code == 1
    assert "at 85 % of its target and 4 canary pods it would scale 4 to 7 and on" in refused.stderr
    assert await shop.images() == {STABLE: 4}


async def test_an_autoscaler_that_may_run_ends_with_the_new_version_at_its_number(
    shop: Shop, metrics: MetricsStub
) -> None:
    await with_autoscaler(shop, 8)
    async with under_load(shop.url, rate=100, kinds=(ConnectionKind.NEW,)) as result:
        await shop.release(CANARY, *HALF, "--allow-autoscaler")

        async def ran() -> bool:
            return bool((await shop.object("deployment", "shop"))["spec"]["replicas"] == 8)

        await shop.until(ran, "the autoscaler went to its most")
        await shop.serinus("promote", "shop")
        await shop.until_rests(CANARY, count=8)
    report = await result
    assert report.failed_count == 0, report.examples
