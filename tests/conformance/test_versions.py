"""resourceVersion, generation, and writes that change nothing."""

from __future__ import annotations

import pytest

from serinus.errors import Conflict, Invalid, NotFound
from tests.conformance.cluster import Cluster, Object, PatchKind
from tests.conformance.manifests import CANARY_IMAGE, config_map, deployment, service


def version(body: Object) -> int:
    return int(body["metadata"]["resourceVersion"])


async def test_each_change_takes_a_greater_version(cluster: Cluster) -> None:
    first = await cluster.create("configmaps", config_map(data={"a": "1"}))
    second = await cluster.patch("configmaps", "settings", {"data": {"a": "2"}})
    assert version(second) > version(first)
    assert second["metadata"]["uid"] == first["metadata"]["uid"]


async def test_versions_are_counted_across_kinds(cluster: Cluster) -> None:
    first = await cluster.create("configmaps", config_map())
    second = await cluster.create("services", service())
    assert version(second) > version(first)


@pytest.mark.parametrize("patch_type", ["merge", "strategic"])
async def test_a_patch_that_changes_nothing_keeps_the_resource_version(
    cluster: Cluster, patch_type: PatchKind
) -> None:
    made = await cluster.create("configmaps", config_map(data={"a": "1"}))
    same = await cluster.patch("configmaps", "settings", {"data": {"a": "1"}}, type=patch_type)
    assert same == made


async def test_a_replace_that_changes_nothing_keeps_the_resource_version(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", config_map(data={"a": "1"}))
    assert await cluster.replace("configmaps", made) == made


async def test_a_replace_at_an_old_version_conflicts(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", config_map(data={"a": "1"}))
    await cluster.patch("configmaps", "settings", {"data": {"a": "2"}})
    with pytest.raises(Conflict, match="the object has been modified") as refused:
        await cluster.replace("configmaps", {**made, "data": {"a": "3"}})
    assert refused.value.code == 409
    assert (await cluster.get("configmaps", "settings"))["data"] == {"a": "2"}


async def test_a_replace_without_a_version_overwrites(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(data={"a": "1"}))
    await cluster.patch("configmaps", "settings", {"data": {"a": "2"}})
    written = await cluster.replace("configmaps", config_map(data={"b": "3"}))
    assert written["data"] == {"b": "3"}


async def test_a_replace_with_another_uid_conflicts(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", config_map())
    made["metadata"]["uid"] = "11111111-2222-3333-4444-555555555555"
    with pytest.raises(Conflict, match="Precondition failed: UID in precondition"):
        await cluster.replace("configmaps", made)


async def test_a_replace_of_a_missing_object_is_refused(cluster: Cluster) -> None:
    with pytest.raises(NotFound):
        await cluster.replace("configmaps", config_map())


async def test_a_replace_under_another_name_is_refused(cluster: Cluster) -> None:
    made = await cluster.create("deployments", deployment(replicas=0))
    await cluster.create("deployments", deployment("other", replicas=0))
    made["metadata"]["name"] = "other"
    with pytest.raises(Conflict):
        await cluster.replace("deployments", made)


@pytest.mark.parametrize("patch_type", ["merge", "strategic"])
async def test_a_patch_may_name_the_version_it_was_made_for(
    cluster: Cluster, patch_type: PatchKind
) -> None:
    made = await cluster.create("configmaps", config_map(data={"a": "1"}))
    old = made["metadata"]["resourceVersion"]
    body = {"metadata": {"resourceVersion": old}, "data": {"a": "2"}}
    await cluster.patch("configmaps", "settings", body, type=patch_type)
    with pytest.raises(Conflict):
        await cluster.patch("configmaps", "settings", {**body, "data": {"a": "3"}}, type=patch_type)


async def test_generation_counts_changes_of_the_spec_alone(cluster: Cluster) -> None:
    await cluster.create("deployments", deployment(replicas=0, paused=True))
    labelled = await cluster.patch("deployments", "shop", {"metadata": {"labels": {"x": "y"}}})
    assert labelled["metadata"]["generation"] == 1
    changed = await cluster.patch("deployments", "shop", {"spec": {"minReadySeconds": 1}})
    assert changed["metadata"]["generation"] == 2


async def test_generation_counts_changed_annotations_of_a_deployment(cluster: Cluster) -> None:
    await cluster.create("deployments", deployment(replicas=0, paused=True))
    body = {"metadata": {"annotations": {"note": "1"}}}
    changed = await cluster.patch("deployments", "shop", body)
    assert changed["metadata"]["generation"] == 2


async def test_a_status_write_keeps_the_generation(cluster: Cluster) -> None:
    await cluster.create("deployments", deployment(replicas=0, paused=True))
    condition = {"type": "Seen", "status": "True"}
    body = {"status": {"conditions": [condition]}}
    written = await cluster.patch(
        "deployments", "shop", body, type="strategic", subresource="status"
    )
    assert written["metadata"]["generation"] == 1
    kept = {each["type"]: each["status"] for each in written["status"]["conditions"]}
    assert kept["Seen"] == "True"


async def test_a_write_of_the_whole_object_cannot_change_its_status(cluster: Cluster) -> None:
    made = await cluster.create("services", service())
    made["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    written = await cluster.replace("services", made)
    assert written["status"] == {"loadBalancer": {}}


async def test_a_status_write_cannot_change_the_spec(cluster: Cluster) -> None:
    made = await cluster.create("deployments", deployment(replicas=0, paused=True))
    made["spec"]["minReadySeconds"] = 9
    made["status"]["observedGeneration"] = 1
    del made["metadata"]["resourceVersion"]
    written = await cluster.replace("deployments", made, subresource="status")
    assert "minReadySeconds" not in written["spec"]


async def test_a_status_write_keeps_labels_as_they_are(cluster: Cluster) -> None:
    made = await cluster.create("deployments", deployment(replicas=0, paused=True))
    body = {"metadata": {"labels": {"x": "y"}}, "status": {"observedGeneration": 1}}
    written = await cluster.patch("deployments", "shop", body, subresource="status")
    assert written["metadata"]["labels"] == made["metadata"]["labels"]


async def test_a_new_object_of_the_same_name_has_another_uid(cluster: Cluster) -> None:
    first = await cluster.create("configmaps", config_map())
    await cluster.delete("configmaps", "settings")
    second = await cluster.create("configmaps", config_map())
    assert second["metadata"]["uid"] != first["metadata"]["uid"]


async def test_the_selector_of_a_deployment_is_fixed(cluster: Cluster) -> None:
    await cluster.create("deployments", deployment(replicas=0))
    body = {
        "spec": {
            "selector": {"matchLabels": {"app": "shop", "x": "y"}},
            "template": {"metadata": {"labels": {"x": "y"}}},
        }
    }
    with pytest.raises(Invalid, match=r"spec\.selector.*field is immutable") as refused:
        await cluster.patch("deployments", "shop", body)
    assert refused.value.code == 422


async def test_scale_shows_replicas_and_selector(cluster: Cluster) -> None:
    await cluster.create("deployments", deployment(replicas=0, paused=True))
    scale = await cluster.get("deployments", "shop", subresource="scale")
    assert scale["apiVersion"] == "autoscaling/v1"
    assert scale["kind"] == "Scale"
    assert scale["spec"] == {}
    assert scale["status"]["selector"] == "app=shop"
    assert scale["status"]["replicas"] == 0


async def test_a_scale_write_changes_replicas_and_nothing_else(cluster: Cluster) -> None:
    before = await cluster.create("deployments", deployment(replicas=0, paused=True))
    scale = await cluster.patch(
        "deployments", "shop", {"spec": {"replicas": 4}}, subresource="scale"
    )
    assert scale["spec"]["replicas"] == 4
    after = await cluster.get("deployments", "shop")
    assert after["spec"] == {**before["spec"], "replicas": 4}
    assert after["metadata"]["generation"] == 2


async def test_a_scale_at_an_old_version_conflicts(cluster: Cluster) -> None:
    made = await cluster.create("deployments", deployment(replicas=0, paused=True))
    await cluster.patch(
        "deployments",
        "shop",
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": CANARY_IMAGE}]}}}},
        type="strategic",
    )
    body = {
        "metadata": {"resourceVersion": made["metadata"]["resourceVersion"]},
        "spec": {"replicas": 4},
    }
    with pytest.raises(Conflict):
        await cluster.patch("deployments", "shop", body, subresource="scale")


async def test_a_negative_scale_is_refused(cluster: Cluster) -> None:
    await cluster.create("deployments", deployment(replicas=0))
    with pytest.raises(Invalid, match="must be greater than or equal to 0"):
        await cluster.patch("deployments", "shop", {"spec": {"replicas": -1}}, subresource="scale")
