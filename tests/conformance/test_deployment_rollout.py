"""Deployments roll out their templates: sets, revisions, surge, rollover, conditions."""

from __future__ import annotations

import pytest

from tests.conformance.cluster import Cluster
from tests.conformance.manifests import CANARY_IMAGE, STABLE_IMAGE, deployment
from tests.conformance.pods import always, never
from tests.conformance.workloads import (
    HASH,
    REVISION,
    complete,
    condition,
    image_of,
    observed,
    owner_of,
    pods,
    running,
    scale,
    set_image,
    set_of,
    sizes,
    uids,
    without_ready,
)

THIRD_IMAGE = "shop:3"


async def test_a_deployment_makes_one_replica_set_named_by_a_hash(cluster: Cluster) -> None:
    shop = await running(cluster)
    made = await set_of(cluster, STABLE_IMAGE)
    hashed = made["metadata"]["labels"][HASH]
    assert made["metadata"]["name"] == f"shop-{hashed}"
    assert made["metadata"]["labels"] == {"app": "shop", HASH: hashed}
    assert made["spec"]["selector"] == {"matchLabels": {"app": "shop", HASH: hashed}}
    assert made["spec"]["template"]["metadata"]["labels"] == {"app": "shop", HASH: hashed}
    assert made["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "shop",
            "uid": shop["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert made["metadata"]["annotations"] == {
        REVISION: "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
    assert shop["metadata"]["annotations"] == {REVISION: "1"}


async def test_the_conditions_of_a_complete_deployment(cluster: Cluster) -> None:
    await running(cluster)
    made = await set_of(cluster, STABLE_IMAGE)

    async def settled() -> None:
        shop = await cluster.get("deployments", "shop")
        available, progressing = condition(shop, "Available"), condition(shop, "Progressing")
        assert available["status"] == "True"
        assert available["reason"] == "MinimumReplicasAvailable"
        assert available["message"] == "Deployment has minimum availability."
        assert progressing["status"] == "True"
        assert progressing["reason"] == "NewReplicaSetAvailable"
        name = made["metadata"]["name"]
        assert progressing["message"] == f'ReplicaSet "{name}" has successfully progressed.'

    await cluster.eventually(settled)


async def test_the_status_of_a_complete_deployment(cluster: Cluster) -> None:
    await running(cluster)
    status = (await complete(cluster))["status"]
    del status["conditions"]
    assert status == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "terminatingReplicas": 0,
    }


async def test_a_changed_template_is_rolled_out_as_the_next_revision(cluster: Cluster) -> None:
    await running(cluster)
    await set_image(cluster, "shop", CANARY_IMAGE)
    shop = await complete(cluster)
    assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}
    assert shop["metadata"]["annotations"][REVISION] == "2"
    assert (await set_of(cluster, CANARY_IMAGE))["metadata"]["annotations"][REVISION] == "2"
    assert {image_of(each) for each in await pods(cluster)} == {CANARY_IMAGE}


async def test_a_change_outside_the_template_starts_no_rollout(cluster: Cluster) -> None:
    await running(cluster)
    before = uids(await pods(cluster))
    body = {"metadata": {"labels": {"x": "y"}}, "spec": {"minReadySeconds": 1}}
    await cluster.patch("deployments", "shop", body)
    await complete(cluster)
    assert uids(await pods(cluster)) == before


async def test_going_back_to_an_old_template_takes_its_set_and_a_new_number(
    cluster: Cluster,
) -> None:
    await running(cluster)
    first = await set_of(cluster, STABLE_IMAGE)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await complete(cluster)
    await set_image(cluster, "shop", STABLE_IMAGE)
    shop = await complete(cluster)
    again = await set_of(cluster, STABLE_IMAGE)
    assert again["metadata"]["uid"] == first["metadata"]["uid"]
    assert again["metadata"]["annotations"][REVISION] == "3"
    assert again["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
    assert shop["metadata"]["annotations"][REVISION] == "3"


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "old", "new"),
    [
        (3, "25%", "25%", 3, 1),
        (4, "25%", "25%", 3, 2),
        (10, "25%", "25%", 8, 5),
        (1, "25%", "25%", 1, 1),
        (3, 0, 1, 2, 1),
        (3, 2, 0, 3, 2),
        # Both round to nothing: then one may be unavailable, or the rollout would never move.
        (10, "0%", "1%", 9, 1),
    ],
)
async def test_a_rollout_stops_at_surge_and_unavailability(
    cluster: Cluster,
    replicas: int,
    surge: int | str,
    unavailable: int | str,
    old: int,
    new: int,
) -> None:
    strategy = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    await running(cluster, replicas=replicas, strategy=strategy)
    cluster.pods.ready_when = without_ready(CANARY_IMAGE)
    await set_image(cluster, "shop", CANARY_IMAGE)

    async def stuck() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: old, CANARY_IMAGE: new}
        status = (await cluster.get("deployments", "shop"))["status"]
        assert status.get("availableReplicas") == old
        assert status.get("updatedReplicas") == new
        assert status.get("unavailableReplicas", 0) == new

    await cluster.eventually(stuck)
    await cluster.steadily(stuck, for_ms=500)


async def test_a_stuck_rollout_goes_on_when_pods_get_ready(cluster: Cluster) -> None:
    await running(cluster)
    cluster.pods.ready_when = without_ready(CANARY_IMAGE)
    await set_image(cluster, "shop", CANARY_IMAGE)

    async def started() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: 3, CANARY_IMAGE: 1}

    await cluster.eventually(started)
    cluster.pods.ready_when = always
    await complete(cluster)
    assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}


async def test_a_third_template_takes_over_from_a_stuck_second(cluster: Cluster) -> None:
    await running(cluster)
    cluster.pods.ready_when = without_ready(CANARY_IMAGE)
    await set_image(cluster, "shop", CANARY_IMAGE)

    async def started() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: 3, CANARY_IMAGE: 1}

    await cluster.eventually(started)
    await set_image(cluster, "shop", THIRD_IMAGE)
    await complete(cluster)
    assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 0, THIRD_IMAGE: 3}


async def test_unhealthy_old_pods_are_removed_before_healthy_ones(cluster: Cluster) -> None:
    await running(cluster, replicas=4)
    names = [each["metadata"]["name"] for each in await pods(cluster)]
    broken, healthy = set(names[:2]), set(names[2:])
    cluster.pods.ready_when = lambda pod: (
        image_of(pod) == STABLE_IMAGE and pod["metadata"]["name"] not in broken
    )

    async def two_are_broken() -> None:
        shop = await cluster.get("deployments", "shop")
        assert shop["status"]["availableReplicas"] == 2

    await cluster.eventually(two_are_broken)
    await set_image(cluster, "shop", CANARY_IMAGE)

    async def a_broken_one_made_room() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: 3, CANARY_IMAGE: 2}
        left = {each["metadata"]["name"] for each in await pods(cluster)}
        assert healthy <= left
        assert len(broken & left) == 1

    await cluster.eventually(a_broken_one_made_room)


@pytest.mark.parametrize(
    ("replicas", "old", "new"),
    [(20, 15, 10), (15, 12, 7), (5, 4, 3), (11, 9, 5)],
)
async def test_scaling_in_a_rollout_is_spread_over_both_sets(
    cluster: Cluster, replicas: int, old: int, new: int
) -> None:
    await running(cluster, replicas=10)
    cluster.pods.ready_when = without_ready(CANARY_IMAGE)
    await set_image(cluster, "shop", CANARY_IMAGE)

    async def spread(old: int, new: int) -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: old, CANARY_IMAGE: new}

    await cluster.eventually(lambda: spread(8, 5))
    await cluster.patch("deployments", "shop", {"spec": {"paused": True}})
    await observed(cluster, "shop")
    await scale(cluster, "shop", replicas)
    await cluster.eventually(lambda: spread(old, new))


async def test_a_deployment_scales_its_one_set(cluster: Cluster) -> None:
    await running(cluster)
    for replicas in (5, 0, 2):
        await scale(cluster, "shop", replicas)
        await complete(cluster)
        assert await sizes(cluster) == {STABLE_IMAGE: replicas}
    made = await set_of(cluster, STABLE_IMAGE)
    assert made["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"] == "2"
    assert made["metadata"]["annotations"]["deployment.kubernetes.io/max-replicas"] == "3"


async def test_recreate_waits_until_all_old_pods_are_gone(cluster: Cluster) -> None:
    await running(cluster, strategy={"type": "Recreate"})
    cluster.pods.gone_when = never
    await set_image(cluster, "shop", CANARY_IMAGE)

    async def old_pods_leave() -> None:
        assert await pods(cluster) == []
        assert len((await cluster.list("pods")).items) == 3

    await cluster.eventually(old_pods_leave)
    await cluster.steadily(old_pods_leave, for_ms=500)
    cluster.pods.gone_when = always
    await complete(cluster)
    assert {image_of(each) for each in await pods(cluster)} == {CANARY_IMAGE}


async def test_old_sets_beyond_the_history_limit_are_removed(cluster: Cluster) -> None:
    await running(cluster, replicas=1, revisionHistoryLimit=1)
    for image in (CANARY_IMAGE, THIRD_IMAGE):
        await set_image(cluster, "shop", image)
        await complete(cluster)

    async def trimmed() -> None:
        assert set(await sizes(cluster)) == {CANARY_IMAGE, THIRD_IMAGE}

    await cluster.eventually(trimmed)


async def test_a_history_limit_of_0_keeps_no_old_set(cluster: Cluster) -> None:
    await running(cluster, replicas=1, revisionHistoryLimit=0)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await complete(cluster)

    async def trimmed() -> None:
        assert await sizes(cluster) == {CANARY_IMAGE: 1}

    await cluster.eventually(trimmed)


async def test_min_ready_seconds_hold_a_rollout_back(cluster: Cluster) -> None:
    await running(cluster, replicas=2, minReadySeconds=2)
    await set_image(cluster, "shop", CANARY_IMAGE)

    async def first_is_ready_and_not_available() -> None:
        new = await set_of(cluster, CANARY_IMAGE)
        assert new["status"].get("readyReplicas") == 1
        assert "availableReplicas" not in new["status"]
        assert await sizes(cluster) == {STABLE_IMAGE: 2, CANARY_IMAGE: 1}

    await cluster.eventually(first_is_ready_and_not_available)
    await complete(cluster)


async def test_a_rollout_past_its_deadline_says_so_and_goes_on_trying(cluster: Cluster) -> None:
    cluster.pods.ready_when = never
    body = deployment(replicas=1, progressDeadlineSeconds=2)
    await cluster.create("deployments", body)

    async def late() -> None:
        shop = await cluster.get("deployments", "shop")
        progressing = condition(shop, "Progressing")
        assert progressing["status"] == "False"
        assert progressing["reason"] == "ProgressDeadlineExceeded"
        name = (await set_of(cluster, STABLE_IMAGE))["metadata"]["name"]
        assert progressing["message"] == f'ReplicaSet "{name}" has timed out progressing.'
        assert condition(shop, "Available")["status"] == "False"
        assert condition(shop, "Available")["reason"] == "MinimumReplicasUnavailable"

    await cluster.eventually(late)
    cluster.pods.ready_when = always
    await complete(cluster)

    async def progressed() -> None:
        shop = await cluster.get("deployments", "shop")
        assert condition(shop, "Progressing")["reason"] == "NewReplicaSetAvailable"

    await cluster.eventually(progressed)


async def test_a_taken_name_makes_the_hash_another_one(cluster: Cluster) -> None:
    await running(cluster, replicas=1)
    first = (await set_of(cluster, STABLE_IMAGE))["metadata"]["name"]
    await cluster.delete("deployments", "shop", propagation="Orphan")

    async def orphaned() -> None:
        assert owner_of(await cluster.get("replicasets", first)) is None
        assert (await cluster.list("deployments")).items == []

    await cluster.eventually(orphaned)
    # No longer matched by the selector, so not adopted: only its name is in the way.
    await cluster.patch("replicasets", first, {"metadata": {"labels": {"app": "past"}}})
    shop = await running(cluster, replicas=1)
    assert shop["status"]["collisionCount"] == 1
    owned = [
        each["metadata"]["name"]
        for each in (await cluster.list("replicasets")).items
        if owner_of(each) == "shop"
    ]
    assert len(owned) == 1
    assert owned[0] != first


async def test_a_recreated_deployment_takes_back_its_orphaned_set(cluster: Cluster) -> None:
    await running(cluster)
    before = uids(await pods(cluster))
    await cluster.delete("deployments", "shop", propagation="Orphan")

    async def orphaned() -> None:
        assert owner_of(await set_of(cluster, STABLE_IMAGE)) is None

    await cluster.eventually(orphaned)
    await running(cluster)
    assert owner_of(await set_of(cluster, STABLE_IMAGE)) == "shop"
    assert uids(await pods(cluster)) == before


async def test_deleting_a_deployment_deletes_its_sets_and_pods(cluster: Cluster) -> None:
    await running(cluster)
    await cluster.delete("deployments", "shop", propagation="Background")

    async def all_gone() -> None:
        assert (await cluster.list("replicasets")).items == []
        assert (await cluster.list("pods")).items == []

    await cluster.eventually(all_gone)


async def test_annotations_of_a_deployment_are_copied_to_its_set(cluster: Cluster) -> None:
    body = deployment(replicas=1)
    body["metadata"]["annotations"] = {
        "note": "1",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    await cluster.create("deployments", body)
    await complete(cluster)
    copied = (await set_of(cluster, STABLE_IMAGE))["metadata"]["annotations"]
    assert copied["note"] == "1"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in copied
