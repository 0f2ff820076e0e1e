"""Deletion: finalizers, propagation, preconditions, grace."""

from __future__ import annotations

import pytest

from serinus.errors import Conflict, Invalid, NotFound
from tests.conformance.cluster import Cluster, Object, Propagation, needs
from tests.conformance.manifests import config_map, deployment, owner_reference, pod
from tests.conformance.workloads import running

FINALIZER = "example.com/hold"


async def owned(cluster: Cluster, owner: Object, name: str, **reference: bool) -> Object:
    """Create a ConfigMap that `owner` owns."""
    body = config_map(name, ownerReferences=[owner_reference(owner, **reference)])
    return await cluster.create("configmaps", body)


async def is_gone(cluster: Cluster, kind: str, name: str) -> None:
    """Wait until an object is gone."""

    async def gone() -> None:
        names = (await cluster.list(kind)).names()
        assert name not in names

    await cluster.eventually(gone)


@needs("answers")
async def test_a_deletion_answers_with_a_status_that_names_the_object(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", config_map())
    answer = await cluster.delete("configmaps", "settings")
    assert answer["kind"] == "Status"
    assert answer["status"] == "Success"
    assert answer["details"] == {
        "name": "settings",
        "kind": "configmaps",
        "uid": made["metadata"]["uid"],
    }
    with pytest.raises(NotFound):
        await cluster.get("configmaps", "settings")


async def test_a_missing_object_cannot_be_deleted(cluster: Cluster) -> None:
    with pytest.raises(NotFound, match='configmaps "absent" not found'):
        await cluster.delete("configmaps", "absent")


async def test_a_finalizer_keeps_a_deleted_object(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", config_map(finalizers=[FINALIZER]))
    marked = await cluster.delete("configmaps", "settings")
    assert marked["metadata"]["deletionTimestamp"].endswith("Z")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
    assert int(marked["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    again = await cluster.delete("configmaps", "settings")
    assert again["metadata"]["deletionTimestamp"] == marked["metadata"]["deletionTimestamp"]
    await cluster.patch("configmaps", "settings", {"metadata": {"finalizers": None}})
    with pytest.raises(NotFound):
        await cluster.get("configmaps", "settings")


async def test_a_deletion_mark_counts_as_a_generation(cluster: Cluster) -> None:
    body = deployment(replicas=0, paused=True)
    body["metadata"]["finalizers"] = [FINALIZER]
    await cluster.create("deployments", body)
    marked = await cluster.delete("deployments", "shop")
    assert marked["metadata"]["generation"] == 2
    await cluster.patch("deployments", "shop", {"metadata": {"finalizers": None}})


async def test_a_marked_object_may_change_and_gets_no_new_finalizer(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(finalizers=[FINALIZER]))
    await cluster.delete("configmaps", "settings")
    changed = await cluster.patch("configmaps", "settings", {"data": {"a": "1"}})
    assert changed["data"] == {"a": "1"}
    body = {"metadata": {"finalizers": [FINALIZER, "example.com/more"]}}
    words = "no new finalizers can be added if the object is being deleted"
    with pytest.raises(Invalid, match=words):
        await cluster.patch("configmaps", "settings", body)
    await cluster.patch("configmaps", "settings", {"metadata": {"finalizers": None}})


async def test_a_marked_object_cannot_be_unmarked(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(finalizers=[FINALIZER]))
    marked = await cluster.delete("configmaps", "settings")
    body = {"metadata": {"deletionTimestamp": None}}
    kept = await cluster.patch("configmaps", "settings", body)
    assert kept["metadata"]["deletionTimestamp"] == marked["metadata"]["deletionTimestamp"]
    await cluster.patch("configmaps", "settings", {"metadata": {"finalizers": None}})


async def test_a_deletion_of_another_uid_is_refused(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map())
    words = "the UID in the precondition .* does not match the UID in record"
    with pytest.raises(Conflict, match=words):
        await cluster.delete("configmaps", "settings", uid="11111111-2222-3333-4444-555555555555")
    assert await cluster.get("configmaps", "settings")


async def test_a_deletion_at_an_old_version_is_refused(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", config_map())
    await cluster.patch("configmaps", "settings", {"data": {"a": "1"}})
    old = made["metadata"]["resourceVersion"]
    words = (
        "the ResourceVersion in the precondition .* does not match the ResourceVersion in record"
    )
    with pytest.raises(Conflict, match=words):
        await cluster.delete("configmaps", "settings", resource_version=old)
    assert await cluster.get("configmaps", "settings")


async def test_a_deletion_with_fitting_preconditions_is_done(cluster: Cluster) -> None:
    metadata = (await cluster.create("configmaps", config_map()))["metadata"]
    await cluster.delete(
        "configmaps",
        "settings",
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
    )
    await is_gone(cluster, "configmaps", "settings")


async def test_a_dry_run_of_a_deletion_deletes_nothing(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", config_map())
    await cluster.delete("configmaps", "settings", dry_run=True)
    assert await cluster.get("configmaps", "settings") == made


async def test_a_collection_is_deleted_by_labels(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map("a", labels={"x": "y"}))
    await cluster.create("configmaps", config_map("b", labels={"x": "y"}))
    await cluster.create("configmaps", config_map("c"))
    await cluster.delete_collection("configmaps", labels="x=y")
    assert (await cluster.list("configmaps")).names() == ["c"]


async def test_a_pod_that_was_never_bound_is_deleted_at_once(cluster: Cluster) -> None:
    await cluster.create("pods", pod())
    await cluster.delete("pods", "one")
    with pytest.raises(NotFound):
        await cluster.get("pods", "one")


async def test_a_bound_pod_is_marked_for_its_grace(cluster: Cluster) -> None:
    body = pod(terminationGracePeriodSeconds=7, nodeName="node-1")
    await cluster.create("pods", body)
    marked = await cluster.delete("pods", "one")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 7
    shorter = await cluster.delete("pods", "one", grace_seconds=3)
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 3
    longer = await cluster.delete("pods", "one", grace_seconds=60)
    assert longer["metadata"]["deletionGracePeriodSeconds"] == 3
    await cluster.delete("pods", "one", grace_seconds=0)
    with pytest.raises(NotFound):
        await cluster.get("pods", "one")


async def test_the_timestamp_of_a_marked_pod_is_when_its_grace_ends(cluster: Cluster) -> None:
    await cluster.create("pods", pod(terminationGracePeriodSeconds=3600, nodeName="node-1"))
    marked = await cluster.delete("pods", "one")
    assert marked["metadata"]["deletionTimestamp"] > marked["metadata"]["creationTimestamp"]
    created = marked["metadata"]["creationTimestamp"]
    assert marked["metadata"]["deletionTimestamp"][:13] != created[:13]
    await cluster.delete("pods", "one", grace_seconds=0)


async def test_background_is_the_default_and_takes_dependents_along(cluster: Cluster) -> None:
    owner = await cluster.create("configmaps", config_map("owner"))
    await owned(cluster, owner, "dependent")
    await cluster.delete("configmaps", "owner")
    with pytest.raises(NotFound):
        await cluster.get("configmaps", "owner")
    await is_gone(cluster, "configmaps", "dependent")


async def test_orphan_removes_the_reference_before_the_owner_goes(cluster: Cluster) -> None:
    owner = await cluster.create("configmaps", config_map("owner"))
    await owned(cluster, owner, "dependent")
    marked = await cluster.delete("configmaps", "owner", propagation="Orphan")
    assert marked["metadata"]["finalizers"] == ["orphan"]
    await is_gone(cluster, "configmaps", "owner")
    left = await cluster.get("configmaps", "dependent")
    assert "ownerReferences" not in left["metadata"]


async def test_foreground_waits_for_blocking_dependents(cluster: Cluster) -> None:
    owner = await cluster.create("configmaps", config_map("owner"))
    reference = owner_reference(owner, blockOwnerDeletion=True)
    body = config_map("dependent", ownerReferences=[reference], finalizers=[FINALIZER])
    await cluster.create("configmaps", body)
    marked = await cluster.delete("configmaps", "owner", propagation="Foreground")
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]

    async def both_wait() -> None:
        assert "deletionTimestamp" in (await cluster.get("configmaps", "dependent"))["metadata"]
        assert "deletionTimestamp" in (await cluster.get("configmaps", "owner"))["metadata"]

    await cluster.eventually(both_wait)
    await cluster.patch("configmaps", "dependent", {"metadata": {"finalizers": None}})
    await is_gone(cluster, "configmaps", "dependent")
    await is_gone(cluster, "configmaps", "owner")


async def test_foreground_does_not_wait_for_dependents_that_do_not_block(cluster: Cluster) -> None:
    owner = await cluster.create("configmaps", config_map("owner"))
    reference = owner_reference(owner, blockOwnerDeletion=False)
    body = config_map("dependent", ownerReferences=[reference], finalizers=[FINALIZER])
    await cluster.create("configmaps", body)
    await cluster.delete("configmaps", "owner", propagation="Foreground")
    await is_gone(cluster, "configmaps", "owner")
    left = await cluster.get("configmaps", "dependent")
    assert "deletionTimestamp" in left["metadata"]
    await cluster.patch("configmaps", "dependent", {"metadata": {"finalizers": None}})


async def test_a_dependent_of_two_owners_stays_until_both_are_gone(cluster: Cluster) -> None:
    one = await cluster.create("configmaps", config_map("one"))
    two = await cluster.create("configmaps", config_map("two"))
    references = [owner_reference(one), owner_reference(two)]
    await cluster.create("configmaps", config_map("dependent", ownerReferences=references))
    await cluster.delete("configmaps", "one")

    async def reference_is_gone() -> None:
        left = await cluster.get("configmaps", "dependent")
        assert [each["name"] for each in left["metadata"]["ownerReferences"]] == ["two"]

    await cluster.eventually(reference_is_gone)
    await cluster.delete("configmaps", "two")
    await is_gone(cluster, "configmaps", "dependent")


async def test_a_dependent_of_an_owner_that_never_was_is_deleted(cluster: Cluster) -> None:
    owner = await cluster.create("configmaps", config_map("owner"))
    owner["metadata"]["uid"] = "11111111-2222-3333-4444-555555555555"
    await owned(cluster, owner, "dependent")
    await is_gone(cluster, "configmaps", "dependent")
    assert await cluster.get("configmaps", "owner")


async def test_foreground_deletion_of_a_deployment_takes_all_of_it(cluster: Cluster) -> None:
    await running(cluster)
    marked = await cluster.delete("deployments", "shop", propagation="Foreground")
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]
    await is_gone(cluster, "deployments", "shop")
    assert (await cluster.list("replicasets")).items == []
    assert (await cluster.list("pods")).items == []


@pytest.mark.parametrize("propagation", ["Orphan", "Background"])
async def test_a_later_deletion_may_change_the_propagation(
    cluster: Cluster, propagation: Propagation
) -> None:
    body = config_map("owner", finalizers=[FINALIZER])
    owner = await cluster.create("configmaps", body)
    reference = owner_reference(owner, blockOwnerDeletion=True)
    body = config_map("dependent", ownerReferences=[reference], finalizers=[FINALIZER])
    await cluster.create("configmaps", body)
    first = await cluster.delete("configmaps", "owner", propagation="Foreground")
    assert "foregroundDeletion" in first["metadata"]["finalizers"]
    second = await cluster.delete("configmaps", "owner", propagation=propagation)
    assert "foregroundDeletion" not in second["metadata"]["finalizers"]
    for name in ("owner", "dependent"):
        await cluster.patch("configmaps", name, {"metadata": {"finalizers": None}})


async def test_nothing_new_starts_in_a_namespace_that_is_being_deleted(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(finalizers=[FINALIZER]))
    await cluster.delete("namespaces", cluster.namespace)

    async def terminating() -> None:
        found = await cluster.get("namespaces", cluster.namespace)
        assert found["status"]["phase"] == "Terminating"

    await cluster.eventually(terminating)
    with pytest.raises(Exception, match="because it is being terminated") as refused:
        await cluster.create("configmaps", config_map("late"))
    assert getattr(refused.value, "code", 0) == 403
    await cluster.patch("configmaps", "settings", {"metadata": {"finalizers": None}})


async def test_a_deleted_namespace_takes_all_in_it_along(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map())
    await running(cluster, replicas=1)
    await cluster.delete("namespaces", cluster.namespace)

    async def gone() -> None:
        names = (await cluster.list("namespaces")).names()
        assert cluster.namespace not in names

    await cluster.eventually(gone, deadline_ms=30_000)


async def test_a_namespace_starts_active_with_its_name_as_a_label(cluster: Cluster) -> None:
    found = await cluster.get("namespaces", cluster.namespace)
    assert found["status"]["phase"] == "Active"
    assert found["spec"]["finalizers"] == ["kubernetes"]
    assert found["metadata"]["labels"]["kubernetes.io/metadata.name"] == cluster.namespace
