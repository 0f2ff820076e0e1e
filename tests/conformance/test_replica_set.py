"""ReplicaSets keep the number of their pods: creation, adoption, release, choice of victims."""

from __future__ import annotations

import pytest

from tests.conformance.cluster import Cluster, Object, Propagation
from tests.conformance.manifests import owner_reference, pod, replica_set
from tests.conformance.pods import always, never
from tests.conformance.workloads import observed, owner_of, pods, scale, uids

SET = "shop-set"


async def full(cluster: Cluster, ready: int, name: str = SET) -> Object:
    """Return the ReplicaSet once so many of its pods are ready and no more are wanted."""

    async def filled() -> Object:
        body = await cluster.get("replicasets", name)
        assert body["status"].get("observedGeneration", 0) >= body["metadata"]["generation"]
        assert body["status"]["replicas"] == body["spec"]["replicas"]
        assert body["status"].get("readyReplicas", 0) == ready
        return body

    return await cluster.eventually(filled)


async def test_pods_are_made_from_the_template_and_owned(cluster: Cluster) -> None:
    made = await cluster.create("replicasets", replica_set(replicas=2))
    await full(cluster, 2)
    found = await pods(cluster)
    assert len(found) == 2
    for each in found:
        assert each["metadata"]["generateName"] == "shop-set-"
        assert len(each["metadata"]["name"]) == len("shop-set-") + 5
        assert each["metadata"]["labels"] == {"app": "shop"}
        assert each["metadata"]["ownerReferences"] == [
            owner_reference(made, controller=True, blockOwnerDeletion=True)
        ]
        assert each["spec"]["containers"][0]["image"] == "shop:1"


async def test_the_status_counts_pods(cluster: Cluster) -> None:
    cluster.pods.ready_when = never
    await cluster.create("replicasets", replica_set(replicas=2))
    status = (await full(cluster, 0))["status"]
    assert status["replicas"] == 2
    assert status["fullyLabeledReplicas"] == 2
    assert "readyReplicas" not in status
    assert "availableReplicas" not in status
    cluster.pods.ready_when = always
    status = (await full(cluster, 2))["status"]
    assert status["readyReplicas"] == 2
    assert status["availableReplicas"] == 2


async def test_matching_pods_without_an_owner_are_adopted(cluster: Cluster) -> None:
    orphan = await cluster.create("pods", pod("orphan"))
    await cluster.create("replicasets", replica_set(replicas=2))
    await full(cluster, 2)
    found = await pods(cluster)
    assert len(found) == 2
    assert orphan["metadata"]["uid"] in uids(found)
    assert {owner_of(each) for each in found} == {SET}


async def test_too_many_orphans_are_adopted_and_then_deleted(cluster: Cluster) -> None:
    for name in ("a", "b", "c"):
        await cluster.create("pods", pod(name))
    await cluster.create("replicasets", replica_set(replicas=1))
    await full(cluster, 1)
    assert len(await pods(cluster)) == 1


async def test_pods_of_another_controller_are_left_alone(cluster: Cluster) -> None:
    first = await cluster.create("replicasets", replica_set("first", replicas=1))
    await full(cluster, 1, "first")
    await cluster.create("replicasets", replica_set("second", replicas=1))
    await full(cluster, 1, "second")
    owners = [owner_of(each) for each in await pods(cluster)]
    assert sorted(str(each) for each in owners) == ["first", "second"]
    assert (await cluster.get("replicasets", "first"))["metadata"]["uid"] == first["metadata"][
        "uid"
    ]


async def test_a_pod_whose_labels_no_longer_match_is_released_and_replaced(
    cluster: Cluster,
) -> None:
    await cluster.create("replicasets", replica_set(replicas=1))
    await full(cluster, 1)
    taken = (await pods(cluster))[0]["metadata"]["name"]
    await cluster.patch("pods", taken, {"metadata": {"labels": {"app": "debug"}}})

    async def replaced() -> None:
        assert owner_of(await cluster.get("pods", taken)) is None
        matching = await pods(cluster, "app=shop")
        assert len(matching) == 1
        assert owner_of(matching[0]) == SET

    await cluster.eventually(replaced)


async def test_a_deleted_pod_is_replaced_while_it_terminates(cluster: Cluster) -> None:
    await cluster.create("replicasets", replica_set(replicas=1))
    await full(cluster, 1)
    first = (await pods(cluster))[0]["metadata"]["name"]
    cluster.pods.gone_when = never
    await cluster.delete("pods", first)

    async def replaced() -> None:
        assert len(await pods(cluster)) == 1
        assert "deletionTimestamp" in (await cluster.get("pods", first))["metadata"]

    await cluster.eventually(replaced)
    cluster.pods.gone_when = always


async def test_a_failed_pod_is_replaced_and_kept(cluster: Cluster) -> None:
    await cluster.create("replicasets", replica_set(replicas=1))
    await full(cluster, 1)
    first = (await pods(cluster))[0]["metadata"]["name"]
    await cluster.patch("pods", first, {"status": {"phase": "Failed"}}, subresource="status")
    cluster.pods.ready_when = lambda pod: pod["metadata"]["name"] != first

    async def replaced() -> None:
        names = {each["metadata"]["name"] for each in await pods(cluster)}
        assert first in names
        assert len(names) == 2

    await cluster.eventually(replaced)


async def test_unready_pods_go_first(cluster: Cluster) -> None:
    cluster.pods.ready_when = lambda pod: pod["metadata"]["name"] in {"b", "c"}
    for name in ("a", "b", "c", "d"):
        await cluster.create("pods", pod(name))
    await cluster.create("replicasets", replica_set(replicas=4))
    await full(cluster, 2)
    await scale(cluster, SET, 2, "replicasets")
    await full(cluster, 2)
    assert {each["metadata"]["name"] for each in await pods(cluster)} == {"b", "c"}


async def test_among_equals_the_cheapest_deletion_goes_first(cluster: Cluster) -> None:
    costs = {"a": "10", "b": "-5", "c": "0"}
    for name, cost in costs.items():
        body = pod(name)
        body["metadata"]["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": cost}
        await cluster.create("pods", body)
    await cluster.create("replicasets", replica_set(replicas=3))
    await full(cluster, 3)
    await scale(cluster, SET, 1, "replicasets")
    await full(cluster, 1)
    assert [each["metadata"]["name"] for each in await pods(cluster)] == ["a"]


async def test_pods_that_were_never_bound_go_before_all_others(cluster: Cluster) -> None:
    await cluster.create("replicasets", replica_set(replicas=2))
    await full(cluster, 2)
    bound = uids(await pods(cluster))
    late = await cluster.create("pods", pod("late"))
    await observed(cluster, SET, "replicasets")

    async def late_is_gone() -> None:
        assert uids(await pods(cluster)) == bound

    await cluster.eventually(late_is_gone)
    assert late["metadata"]["uid"] not in bound


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_deleting_a_set_deletes_its_pods(cluster: Cluster, propagation: Propagation) -> None:
    await cluster.create("replicasets", replica_set(replicas=2))
    await full(cluster, 2)
    await cluster.delete("replicasets", SET, propagation=propagation)

    async def all_gone() -> None:
        assert (await cluster.list("pods")).items == []
        assert (await cluster.list("replicasets")).items == []

    await cluster.eventually(all_gone)


async def test_orphaned_pods_live_on_without_an_owner(cluster: Cluster) -> None:
    await cluster.create("replicasets", replica_set(replicas=2))
    await full(cluster, 2)
    before = uids(await pods(cluster))
    await cluster.delete("replicasets", SET, propagation="Orphan")

    async def left_alone() -> None:
        assert (await cluster.list("replicasets")).items == []
        found = await pods(cluster)
        assert uids(found) == before
        assert all("ownerReferences" not in each["metadata"] for each in found)

    await cluster.eventually(left_alone)


async def test_min_ready_seconds_part_ready_from_available(cluster: Cluster) -> None:
    body = replica_set(replicas=1)
    body["spec"]["minReadySeconds"] = 3
    await cluster.create("replicasets", body)
    assert "availableReplicas" not in (await full(cluster, 1))["status"]

    async def available() -> None:
        found = await cluster.get("replicasets", SET)
        assert found["status"].get("availableReplicas") == 1

    await cluster.eventually(available)
