"""What the real autoscaler makes of a second Deployment with the very same selector."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from serinus.kube.client import Client
from serinus.kube.config import Connection
from tests.conformance.cluster import Cluster, Object, needs
from tests.conformance.workloads import canary, complete, hold, running
from tests.control_plane import metrics_stub
from tests.control_plane.metrics_stub import MetricsStub

pytestmark = needs("autoscaler")


@pytest_asyncio.fixture
async def metrics(connection: Connection) -> AsyncIterator[MetricsStub]:
    """The metrics API, to which every pod seems to use 85 % of the target."""
    async with Client(connection) as client, metrics_stub.running(client) as stub:
        stub.usage_of = lambda _: {"cpu": "1m", "memory": "85Mi"}
        yield stub


def autoscaler(most: int = 30) -> Object:
    target = {"type": "AverageValue", "averageValue": "100Mi"}
    return {
        "metadata": {"name": "shop"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
            "minReplicas": 4,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "memory", "target": target}}],
        },
    }


async def looked(cluster: Cluster, pod_count: int) -> Object:
    """Return the autoscaler once it has wanted so many pods."""

    async def wanted() -> Object:
        found = await cluster.get("horizontalpodautoscalers", "shop")
        assert found["status"].get("desiredReplicas") == pod_count, found["status"]
        assert found["status"].get("currentMetrics"), found["status"]
        return found

    return await cluster.eventually(wanted, deadline_ms=30_000)


async def test_it_leaves_a_deployment_below_its_target_alone(
    cluster: Cluster, metrics: MetricsStub
) -> None:
    await running(cluster, replicas=4)
    await cluster.create("horizontalpodautoscalers", autoscaler())
    found = await looked(cluster, 4)
    resource = found["status"]["currentMetrics"][0]["resource"]
    assert resource["current"]["averageValue"] == "85Mi"


async def test_it_counts_the_pods_of_the_second_one_and_runs_away(
    cluster: Cluster, metrics: MetricsStub
) -> None:
    await running(cluster, replicas=4)
    await hold(cluster)
    await cluster.create("horizontalpodautoscalers", autoscaler())
    await looked(cluster, 4)
    await canary(cluster, replicas=4)
    # ceil(0.85 x (4 + 4)) = 7, though each of the pods is below the target.
    await looked(cluster, 7)


async def test_it_scales_a_held_deployment(cluster: Cluster, metrics: MetricsStub) -> None:
    await running(cluster, replicas=4)
    await hold(cluster)
    await cluster.create("horizontalpodautoscalers", autoscaler(most=6))
    await looked(cluster, 4)
    metrics.usage_of = lambda _: {"cpu": "1m", "memory": "300Mi"}
    await looked(cluster, 6)
    assert (await complete(cluster))["spec"]["replicas"] == 6
