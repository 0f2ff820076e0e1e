"""What a ResourceQuota does to Deployments whose pods it does not allow."""

from __future__ import annotations

from tests.conformance.cluster import Cluster, Object, needs
from tests.conformance.manifests import CANARY_IMAGE, deployment
from tests.conformance.workloads import complete, condition, pods, running

pytestmark = needs("quotas")


async def limited(cluster: Cluster, pod_count: int) -> None:
    """Allow so many pods; return when the limit is in force."""
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": str(pod_count)}}}
    await cluster.create("resourcequotas", quota)

    async def counted() -> None:
        found = await cluster.get("resourcequotas", "few")
        assert found.get("status", {}).get("hard") == {"pods": str(pod_count)}

    await cluster.eventually(counted)


async def test_a_second_deployment_beyond_the_quota_says_that_it_may_not(cluster: Cluster) -> None:
    await running(cluster)
    await limited(cluster, 3)
    await cluster.create("deployments", deployment("shop-rev2", image=CANARY_IMAGE, replicas=1))

    async def said() -> Object:
        return condition(await cluster.get("deployments", "shop-rev2"), "ReplicaFailure")

    failure = await cluster.eventually(said)
    assert failure["status"] == "True"
    assert failure["reason"] == "FailedCreate"
    assert "exceeded quota: few" in failure["message"]
    assert len(await pods(cluster)) == 3


async def test_a_raised_quota_lets_the_pods_come(cluster: Cluster) -> None:
    await running(cluster)
    await limited(cluster, 3)
    await cluster.create("deployments", deployment("shop-rev2", image=CANARY_IMAGE, replicas=1))
    await cluster.patch("resourcequotas", "few", {"spec": {"hard": {"pods": "4"}}})
    await complete(cluster, "shop-rev2")
    assert len(await pods(cluster)) == 4
