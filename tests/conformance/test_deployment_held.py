"""A paused Deployment: what it does not do, what it still does, and how the hold is kept."""

from __future__ import annotations

import pytest

from serinus.errors import Conflict
from tests.conformance.cluster import Cluster
from tests.conformance.manifests import CANARY_IMAGE, STABLE_IMAGE, deployment
from tests.conformance.pods import never
from tests.conformance.workloads import (
    complete,
    condition,
    held,
    hold,
    lift,
    observed,
    pods,
    running,
    scale,
    set_image,
    sizes,
    uids,
)


async def test_a_deployment_created_paused_makes_no_set(cluster: Cluster) -> None:
    await cluster.create("deployments", deployment(paused=True))
    shop = await observed(cluster, "shop")
    assert await sizes(cluster) == {}
    assert condition(shop, "Progressing")["status"] == "Unknown"
    assert condition(shop, "Progressing")["reason"] == "DeploymentPaused"


async def test_a_held_deployment_makes_no_set_for_a_changed_template(cluster: Cluster) -> None:
    shop = await held(cluster)
    assert await sizes(cluster) == {STABLE_IMAGE: 3}
    assert "updatedReplicas" not in shop["status"]
    assert shop["status"]["replicas"] == 3
    assert shop["status"]["availableReplicas"] == 3
    paused = condition(shop, "Progressing")
    assert paused["status"] == "Unknown"
    assert paused["reason"] == "DeploymentPaused"
    assert paused["message"] == "Deployment is paused"


async def test_a_held_deployment_still_scales_the_set_that_runs(cluster: Cluster) -> None:
    await held(cluster)
    before = uids(await pods(cluster))

    async def scaled(replicas: int) -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: replicas}
        assert len(await pods(cluster)) == replicas

    await scale(cluster, "shop", 4)
    await cluster.eventually(lambda: scaled(4))
    assert before < uids(await pods(cluster))
    await scale(cluster, "shop", 3)
    await cluster.eventually(lambda: scaled(3))


async def test_the_hold_survives_an_apply_of_the_manifest_by_another_manager(
    cluster: Cluster,
) -> None:
    await cluster.apply("deployments", deployment(), manager="people")
    await complete(cluster)
    await hold(cluster)
    changed = deployment(image=CANARY_IMAGE)
    written = await cluster.apply("deployments", changed, manager="people", force=True)
    assert written["spec"]["paused"] is True
    await observed(cluster, "shop")
    assert await sizes(cluster) == {STABLE_IMAGE: 3}


async def test_the_hold_survives_a_strategic_patch_of_the_manifest(cluster: Cluster) -> None:
    await running(cluster)
    await hold(cluster)
    written = await set_image(cluster, "shop", CANARY_IMAGE)
    assert written["spec"]["paused"] is True


async def test_an_empty_apply_lifts_the_hold_and_rolls_out(cluster: Cluster) -> None:
    await held(cluster)
    written = await lift(cluster)
    assert "paused" not in written["spec"]
    await complete(cluster)
    assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}


async def test_a_replace_drops_the_hold_and_rolls_out_at_once(cluster: Cluster) -> None:
    await running(cluster)
    await hold(cluster)
    written = await cluster.replace("deployments", deployment(image=CANARY_IMAGE))
    assert "paused" not in written["spec"]
    await complete(cluster)
    assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}


async def test_another_manager_who_applies_paused_conflicts_with_the_hold(
    cluster: Cluster,
) -> None:
    await running(cluster)
    await hold(cluster)
    body = {"metadata": {"name": "shop"}, "spec": {"paused": False}}
    with pytest.raises(Conflict, match=r'conflict with "serinus".*\.spec\.paused'):
        await cluster.apply("deployments", body, manager="people")


async def test_a_resumed_deployment_says_so_and_rolls_out(cluster: Cluster) -> None:
    await running(cluster)
    await cluster.patch("deployments", "shop", {"spec": {"paused": True}})
    await observed(cluster, "shop")
    cluster.pods.ready_when = never
    await cluster.patch("deployments", "shop", {"spec": {"paused": None}})

    async def resumed() -> None:
        shop = await cluster.get("deployments", "shop")
        assert condition(shop, "Progressing")["reason"] != "DeploymentPaused"

    await cluster.eventually(resumed)


async def test_held_and_scaled_to_0_and_back_with_no_twin_brings_the_old_version_back(
    cluster: Cluster,
) -> None:
    await held(cluster)

    async def scaled(replicas: int) -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: replicas}
        assert len((await cluster.list("pods")).items) == replicas

    await scale(cluster, "shop", 0)
    await cluster.eventually(lambda: scaled(0))
    await scale(cluster, "shop", 3)
    await cluster.eventually(lambda: scaled(3))


async def test_held_and_scaled_to_0_and_back_with_a_twin_starts_the_target(
    cluster: Cluster,
) -> None:
    await running(cluster)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await complete(cluster)
    await set_image(cluster, "shop", STABLE_IMAGE)
    await complete(cluster)
    await hold(cluster)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await observed(cluster, "shop")
    assert await sizes(cluster) == {STABLE_IMAGE: 3, CANARY_IMAGE: 0}
    await scale(cluster, "shop", 0)

    async def scaled(stable: int, target: int) -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: stable, CANARY_IMAGE: target}

    await cluster.eventually(lambda: scaled(0, 0))
    await scale(cluster, "shop", 3)
    await cluster.eventually(lambda: scaled(0, 3))


async def test_held_and_scaled_to_0_with_a_history_limit_of_0_never_starts_again(
    cluster: Cluster,
) -> None:
    await held(cluster, revisionHistoryLimit=0)
    await scale(cluster, "shop", 0)

    async def nothing_is_left() -> None:
        assert await sizes(cluster) == {}

    await cluster.eventually(nothing_is_left)
    await scale(cluster, "shop", 3)
    await observed(cluster, "shop")
    await cluster.steadily(nothing_is_left, for_ms=500)
