"""Evictions and the budgets that limit them."""

from __future__ import annotations

import pytest

from serinus.errors import Invalid, Unavailable
from tests.conformance.cluster import Cluster, Object
from tests.conformance.manifests import CANARY_IMAGE, pod
from tests.conformance.pods import never
from tests.conformance.workloads import pods, running


async def evict(cluster: Cluster, name: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    await cluster.create("pods", body, name=name, subresource="eviction")


def budget(**spec: object) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "shop"}}, **spec},
    }


async def allowed(cluster: Cluster, count: int) -> Object:
    """Wait until the budget allows so many disruptions."""

    async def counted() -> Object:
        found = await cluster.get("poddisruptionbudgets", "shop")
        status = found["status"]
        assert status.get("observedGeneration") == found["metadata"]["generation"]
        assert status["disruptionsAllowed"] == count, status
        return found

    return await cluster.eventually(counted)


async def test_a_pod_without_a_budget_may_be_evicted(cluster: Cluster) -> None:
    await cluster.create("pods", pod(nodeName="node-1"))
    await evict(cluster, "one")
    left = await cluster.list("pods")
    assert all("deletionTimestamp" in each["metadata"] for each in left.items)


async def test_a_budget_counts_its_pods(cluster: Cluster) -> None:
    await running(cluster)
    await cluster.create("poddisruptionbudgets", budget(minAvailable=2))
    status = (await allowed(cluster, 1))["status"]
    assert status["currentHealthy"] == 3
    assert status["desiredHealthy"] == 2
    assert status["expectedPods"] == 3


async def test_an_eviction_beyond_the_budget_is_put_off(cluster: Cluster) -> None:
    await running(cluster)
    await cluster.create("poddisruptionbudgets", budget(minAvailable=3))
    await allowed(cluster, 0)
    name = (await pods(cluster))[0]["metadata"]["name"]
    words = "Cannot evict pod as it would violate the pod's disruption budget"
    with pytest.raises(Unavailable, match=words) as refused:
        await evict(cluster, name)
    assert refused.value.code == 429
    assert len(await pods(cluster)) == 3


async def test_a_budget_over_two_deployments_lets_all_pods_of_one_be_evicted(
    cluster: Cluster,
) -> None:
    await running(cluster)
    stable = [each["metadata"]["name"] for each in await pods(cluster)]
    await running(cluster, "shop-rev2", image=CANARY_IMAGE)
    await cluster.create("poddisruptionbudgets", budget(minAvailable=3))
    await allowed(cluster, 3)
    cluster.pods.ready_when = lambda body: body["metadata"]["name"] in stable
    cluster.pods.gone_when = never
    for name in stable:
        await evict(cluster, name)
    for name in stable:
        assert "deletionTimestamp" in (await cluster.get("pods", name))["metadata"]


async def test_a_budget_says_one_limit_and_not_both(cluster: Cluster) -> None:
    body = budget(minAvailable=1, maxUnavailable=1)
    with pytest.raises(Invalid, match="minAvailable and maxUnavailable cannot be both set"):
        await cluster.create("poddisruptionbudgets", body)
