"""A second Deployment of the very same selector, and a ReplicaSet that changes hands.

`shop` is the stable Deployment, held with the canary's template as its target; `shop-rev2` is the
second one that runs this template, and is deleted with `Orphan`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.conformance.cluster import Cluster, Object
from tests.conformance.manifests import (
    CANARY_IMAGE,
    STABLE_IMAGE,
    config_map,
    deployment,
    owner_reference,
)
from tests.conformance.workloads import (
    HASH,
    REVISION,
    canary,
    complete,
    condition,
    hand_over,
    held,
    hold,
    image_of,
    lift,
    observed,
    owner_of,
    pods,
    running,
    scale,
    set_image,
    set_of,
    sizes,
    uids,
)

THIRD_IMAGE = "shop:3"
FOURTH_IMAGE = "shop:4"


def with_selector(requirement: Object) -> dict[str, Any]:
    """Return spec fields that add a requirement to the selector of `shop`."""
    return {"selector": {"matchLabels": {"app": "shop"}, "matchExpressions": [requirement]}}


async def test_a_second_deployment_of_the_same_selector_does_not_fight(cluster: Cluster) -> None:
    await running(cluster)
    stable = uids(await pods(cluster))
    await canary(cluster, replicas=1)

    async def side_by_side() -> None:
        assert await sizes(cluster, "shop") == {STABLE_IMAGE: 3}
        assert await sizes(cluster, "shop-rev2") == {CANARY_IMAGE: 1}
        found = await pods(cluster)
        assert len(found) == 4
        assert stable < uids(found)

    await cluster.eventually(side_by_side)
    await cluster.steadily(side_by_side, for_ms=500)


async def test_the_same_template_has_the_same_hash_in_another_deployment(cluster: Cluster) -> None:
    await running(cluster, replicas=1)
    await running(cluster, "shop-rev2", replicas=1)
    first = await set_of(cluster, STABLE_IMAGE, "shop")
    second = await set_of(cluster, STABLE_IMAGE, "shop-rev2")
    assert first["metadata"]["labels"][HASH] == second["metadata"]["labels"][HASH]
    assert first["spec"]["template"] == second["spec"]["template"]
    assert owner_of(first) == "shop"
    assert owner_of(second) == "shop-rev2"


async def test_an_orphaned_set_becomes_the_next_revision_of_the_held_one(cluster: Cluster) -> None:
    await held(cluster)
    await canary(cluster)
    taken = await set_of(cluster, CANARY_IMAGE)
    before = uids(await pods(cluster, f"{HASH}={taken['metadata']['labels'][HASH]}"))
    await hand_over(cluster)

    async def adopted() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}
        assert uids(await pods(cluster)) == before

    await cluster.eventually(adopted)
    shop = await complete(cluster)
    assert shop["metadata"]["annotations"][REVISION] == "2"
    assert shop["spec"]["paused"] is True
    now = await set_of(cluster, CANARY_IMAGE)
    assert now["metadata"]["uid"] == taken["metadata"]["uid"]
    assert now["metadata"]["name"] == taken["metadata"]["name"]
    assert now["metadata"]["annotations"][REVISION] == "2"
    assert (await set_of(cluster, STABLE_IMAGE))["metadata"]["annotations"][REVISION] == "1"


async def test_the_held_one_stays_complete_when_it_is_let_go_after_adoption(
    cluster: Cluster,
) -> None:
    await held(cluster)
    await canary(cluster)
    await hand_over(cluster)
    await complete(cluster)
    before = uids(await pods(cluster))
    await lift(cluster)
    await complete(cluster)

    async def progressed() -> None:
        shop = await cluster.get("deployments", "shop")
        assert condition(shop, "Progressing")["reason"] == "NewReplicaSetAvailable"

    await cluster.eventually(progressed)
    assert uids(await pods(cluster)) == before


async def test_an_empty_twin_of_the_target_takes_the_place_of_the_adopted_set(
    cluster: Cluster,
) -> None:
    await running(cluster)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await complete(cluster)
    await set_image(cluster, "shop", STABLE_IMAGE)
    await complete(cluster)
    twin = await set_of(cluster, CANARY_IMAGE, "shop")
    await hold(cluster)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await observed(cluster, "shop")
    await canary(cluster)
    await hand_over(cluster)

    async def mixed() -> None:
        found = (await cluster.list("replicasets")).items
        owned = {each["metadata"]["uid"]: each["spec"]["replicas"] for each in found}
        assert {owner_of(each) for each in found} == {"shop"}
        assert len(found) == 3
        # The twin counts as the new set; the other two share what it does not take.
        assert owned[twin["metadata"]["uid"]] == 0
        assert await running_by_image(cluster) == {STABLE_IMAGE: 1, CANARY_IMAGE: 3}

    await cluster.eventually(mixed)
    await cluster.steadily(mixed, for_ms=500)
    await lift(cluster)
    await complete(cluster)
    assert (await set_of_uid(cluster, twin))["spec"]["replicas"] == 3


async def running_by_image(cluster: Cluster) -> dict[str, int]:
    """Return how many pods run of each image."""
    return dict(Counter(image_of(each) for each in await pods(cluster)))


async def set_of_uid(cluster: Cluster, wanted: Object) -> Object:
    """Return a ReplicaSet as it is now."""
    return await cluster.get("replicasets", wanted["metadata"]["name"])


async def test_without_its_twin_an_adopted_set_counts_as_the_new_one(cluster: Cluster) -> None:
    await running(cluster)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await complete(cluster)
    await set_image(cluster, "shop", STABLE_IMAGE)
    await complete(cluster)
    twin = await set_of(cluster, CANARY_IMAGE, "shop")
    await hold(cluster)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await observed(cluster, "shop")
    await cluster.delete("replicasets", twin["metadata"]["name"])
    await canary(cluster)
    before = uids(await pods(cluster, f"{HASH}={twin['metadata']['labels'][HASH]}"))
    await hand_over(cluster)

    async def adopted() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}
        assert uids(await pods(cluster)) == before

    await cluster.eventually(adopted)
    await complete(cluster)


async def test_a_deployment_whose_set_was_adopted_gets_another_hash_when_it_comes_again(
    cluster: Cluster,
) -> None:
    await held(cluster)
    await canary(cluster)
    adopted = await set_of(cluster, CANARY_IMAGE)
    await hand_over(cluster)
    await complete(cluster)
    again = await canary(cluster)
    assert again["status"]["collisionCount"] == 1
    mine = await set_of(cluster, CANARY_IMAGE, "shop-rev2")
    assert mine["metadata"]["labels"][HASH] != adopted["metadata"]["labels"][HASH]


async def test_replicas_raised_at_adoption_end_in_the_new_version(cluster: Cluster) -> None:
    await held(cluster)
    await canary(cluster)
    await scale(cluster, "shop", 5)
    await hand_over(cluster)

    async def all_new() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 5}

    await cluster.eventually(all_new)
    await complete(cluster)


async def test_replicas_lowered_at_adoption_leave_both_versions(cluster: Cluster) -> None:
    await held(cluster, replicas=10)
    await canary(cluster, replicas=10)
    await scale(cluster, "shop", 5)
    await hand_over(cluster)

    async def mixed() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: 5, CANARY_IMAGE: 2}

    await cluster.eventually(mixed)
    await cluster.steadily(mixed, for_ms=500)


async def test_a_target_changed_at_adoption_leaves_two_old_sets(cluster: Cluster) -> None:
    await held(cluster)
    await canary(cluster)
    await set_image(cluster, "shop", THIRD_IMAGE)
    await hand_over(cluster)

    async def two_old_sets() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: 1, CANARY_IMAGE: 3}

    await cluster.eventually(two_old_sets)
    await cluster.steadily(two_old_sets, for_ms=500)


async def test_a_broader_deployment_may_take_the_set_and_scale_it_away(cluster: Cluster) -> None:
    body = await running(cluster, "all", labels={"team": "a"})
    assert body["spec"]["selector"]["matchLabels"] == {"team": "a"}
    labels = {"app": "shop", "team": "a"}
    await running(cluster, "shop", labels=labels)
    await hold(cluster)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await observed(cluster, "shop")
    await running(cluster, "shop-rev2", labels=labels, image=CANARY_IMAGE)
    taken = await set_of(cluster, CANARY_IMAGE)
    await hand_over(cluster)

    async def taken_by_one() -> None:
        found = await set_of_uid(cluster, taken)
        wanted = {"shop": 3, "all": 0}
        # For a moment it is nobody's.
        assert found["spec"]["replicas"] == wanted.get(owner_of(found) or "")

    await cluster.eventually(taken_by_one)


async def test_a_stable_deployment_deleted_with_orphan_loses_its_set_to_the_canary(
    cluster: Cluster,
) -> None:
    await held(cluster)
    await canary(cluster, replicas=1)
    await hand_over(cluster, "shop")

    async def taken() -> None:
        assert await sizes(cluster, "shop-rev2") == {STABLE_IMAGE: 0, CANARY_IMAGE: 1}

    await cluster.eventually(taken)


async def test_a_canary_whose_selector_excludes_the_hash_leaves_it_alone(
    cluster: Cluster,
) -> None:
    await held(cluster)
    stable = await set_of(cluster, STABLE_IMAGE)
    before = uids(await pods(cluster))
    requirement = {
        "key": HASH,
        "operator": "NotIn",
        "values": [stable["metadata"]["labels"][HASH]],
    }
    await canary(cluster, replicas=1, **with_selector(requirement))
    await hand_over(cluster, "shop")

    async def left_alone() -> None:
        found = await set_of_uid(cluster, stable)
        assert owner_of(found) is None
        assert found["spec"]["replicas"] == 3
        assert before < uids(await pods(cluster))

    await cluster.eventually(left_alone)
    await cluster.steadily(left_alone, for_ms=500)
    await running(cluster)
    assert owner_of(await set_of_uid(cluster, stable)) == "shop"
    assert before < uids(await pods(cluster))


async def test_a_set_of_a_canary_with_that_selector_is_still_adopted(cluster: Cluster) -> None:
    await held(cluster)
    stable = (await set_of(cluster, STABLE_IMAGE))["metadata"]["labels"][HASH]
    requirement = {"key": HASH, "operator": "NotIn", "values": [stable]}
    await canary(cluster, **with_selector(requirement))
    taken = await set_of(cluster, CANARY_IMAGE)
    before = uids(await pods(cluster, f"{HASH}={taken['metadata']['labels'][HASH]}"))
    await hand_over(cluster)

    async def adopted() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}
        assert uids(await pods(cluster)) == before

    await cluster.eventually(adopted)
    await complete(cluster)


async def retargeted(cluster: Cluster, **fields: Any) -> None:
    """Let a canary try three templates and hand over the last."""
    await held(cluster)
    await canary(cluster, replicas=3, **fields)
    for image in (THIRD_IMAGE, FOURTH_IMAGE):
        await set_image(cluster, "shop", image)
        await observed(cluster, "shop")
        await set_image(cluster, "shop-rev2", image)
        await complete(cluster, "shop-rev2")


async def test_templates_that_a_canary_only_tried_reach_the_history(cluster: Cluster) -> None:
    await retargeted(cluster)
    await hand_over(cluster)

    async def all_adopted() -> None:
        wanted = {STABLE_IMAGE: 0, CANARY_IMAGE: 0, THIRD_IMAGE: 0, FOURTH_IMAGE: 3}
        assert await sizes(cluster) == wanted

    await cluster.eventually(all_adopted)


async def test_with_a_history_limit_of_0_only_the_last_template_is_handed_over(
    cluster: Cluster,
) -> None:
    await retargeted(cluster, revisionHistoryLimit=0)

    async def one_set_left() -> None:
        assert await sizes(cluster, "shop-rev2") == {FOURTH_IMAGE: 3}

    await cluster.eventually(one_set_left)
    await hand_over(cluster)

    async def adopted() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: 0, FOURTH_IMAGE: 3}

    await cluster.eventually(adopted)
    shop = await complete(cluster)
    # The set brings along the number that it had with the canary, for it is the greater one.
    assert shop["metadata"]["annotations"][REVISION] == "3"


async def test_annotations_of_the_canary_survive_adoption_on_the_set(cluster: Cluster) -> None:
    await held(cluster)
    await canary(cluster)
    body = {"metadata": {"annotations": {"trial": "1"}}}
    await cluster.patch("deployments", "shop-rev2", body)

    async def copied() -> None:
        assert (await set_of(cluster, CANARY_IMAGE))["metadata"]["annotations"]["trial"] == "1"

    await cluster.eventually(copied)
    await hand_over(cluster)
    await complete(cluster)

    async def adopted_with_annotation() -> None:
        found = await set_of(cluster, CANARY_IMAGE)
        assert owner_of(found) == "shop"
        assert found["metadata"]["annotations"]["trial"] == "1"

    await cluster.eventually(adopted_with_annotation)


async def test_labels_of_the_canary_do_not_reach_its_set(cluster: Cluster) -> None:
    await running(cluster, replicas=1)
    body = {"metadata": {"labels": {"role": "canary"}}}
    await cluster.patch("deployments", "shop", body)
    await observed(cluster, "shop")
    assert "role" not in (await set_of(cluster, STABLE_IMAGE))["metadata"]["labels"]


async def test_foreground_deletion_of_an_owner_takes_the_canary_although_it_has_a_finalizer(
    cluster: Cluster,
) -> None:
    owner = await cluster.create("configmaps", config_map(finalizers=["example.com/hold"]))
    # Created with its owner and then waited for: a collector that has not heard of the reference
    # before the deletion lets the owner wait alone.
    owned = deployment("shop-rev2", image=CANARY_IMAGE, replicas=1)
    reference = owner_reference(owner, controller=False, blockOwnerDeletion=False)
    owned["metadata"]["ownerReferences"] = [reference]
    await cluster.create("deployments", owned)
    await complete(cluster, "shop-rev2")
    await cluster.delete("configmaps", "settings", propagation="Foreground")

    async def canary_is_gone() -> None:
        assert (await cluster.list("deployments")).items == []
        assert (await cluster.list("pods")).items == []
        assert "deletionTimestamp" in (await cluster.get("configmaps", "settings"))["metadata"]

    await cluster.eventually(canary_is_gone)
    body: Object = {"metadata": {"finalizers": []}}
    await cluster.patch("configmaps", "settings", body)


async def owned_by_stable(cluster: Cluster) -> Object:
    """Return a canary whose owner, though not its controller, is the held `shop`."""
    shop = await held(cluster)
    stable = (await set_of(cluster, STABLE_IMAGE))["metadata"]["labels"][HASH]
    requirement = {"key": HASH, "operator": "NotIn", "values": [stable]}
    await canary(cluster, **with_selector(requirement))
    reference = owner_reference(shop, controller=False, blockOwnerDeletion=False)
    body = {"metadata": {"ownerReferences": [reference]}}
    return await cluster.patch("deployments", "shop-rev2", body)


async def test_a_canary_owned_by_stable_is_handed_over_as_any_other(cluster: Cluster) -> None:
    await owned_by_stable(cluster)
    taken = await set_of(cluster, CANARY_IMAGE)
    await hand_over(cluster)
    await complete(cluster)
    found = await set_of_uid(cluster, taken)
    assert owner_of(found) == "shop"
    assert found["spec"]["replicas"] == 3


async def test_a_canary_owned_by_stable_outlives_an_orphaning_deletion_of_it(
    cluster: Cluster,
) -> None:
    await owned_by_stable(cluster)
    before = uids(await pods(cluster))
    await hand_over(cluster, "shop")

    async def on_its_own() -> None:
        left = await cluster.get("deployments", "shop-rev2")
        assert "ownerReferences" not in left["metadata"]
        assert uids(await pods(cluster)) == before

    await cluster.eventually(on_its_own)
    await cluster.steadily(on_its_own, for_ms=500)


async def test_a_canary_owned_by_stable_goes_with_it(cluster: Cluster) -> None:
    await owned_by_stable(cluster)
    await cluster.delete("deployments", "shop", propagation="Background")

    async def all_gone() -> None:
        assert (await cluster.list("deployments")).items == []
        assert (await cluster.list("pods")).items == []

    await cluster.eventually(all_gone)
