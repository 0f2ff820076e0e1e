"""Objects are created, read and listed."""

from __future__ import annotations

import pytest

from serinus.errors import AlreadyExists, ClusterError, Invalid, NotFound
from tests.conformance.cluster import Cluster
from tests.conformance.manifests import config_map, deployment, pod


async def test_a_created_object_carries_what_the_server_adds(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", config_map(data={"a": "1"}))
    metadata = made["metadata"]
    assert made["apiVersion"] == "v1"
    assert made["kind"] == "ConfigMap"
    assert made["data"] == {"a": "1"}
    assert metadata["namespace"] == cluster.namespace
    assert metadata["uid"]
    assert int(metadata["resourceVersion"]) > 0
    assert metadata["creationTimestamp"].endswith("Z")
    assert "generation" not in metadata
    assert await cluster.get("configmaps", "settings") == made


async def test_a_kind_with_a_spec_starts_at_generation_1(cluster: Cluster) -> None:
    made = await cluster.create("deployments", deployment(replicas=0))
    assert made["metadata"]["generation"] == 1


async def test_server_set_metadata_in_a_create_is_not_believed(cluster: Cluster) -> None:
    body = config_map(uid="11111111-2222-3333-4444-555555555555")
    body["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z"
    made = await cluster.create("configmaps", body)
    assert made["metadata"]["uid"] != body["metadata"]["uid"]
    assert made["metadata"]["creationTimestamp"] != body["metadata"]["creationTimestamp"]


async def test_a_create_with_a_resource_version_is_refused(cluster: Cluster) -> None:
    words = "resourceVersion should not be set on objects to be created"
    with pytest.raises(ClusterError, match=words) as refused:
        await cluster.create("configmaps", config_map(resourceVersion="1"))
    # A 500, since the storage layer says so and not the validation.
    assert refused.value.code == 500


async def test_a_second_object_of_the_same_name_is_refused(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map())
    with pytest.raises(AlreadyExists, match='configmaps "settings" already exists') as refused:
        await cluster.create("configmaps", config_map())
    assert refused.value.code == 409


async def test_a_missing_object_is_named_in_the_refusal(cluster: Cluster) -> None:
    with pytest.raises(NotFound, match=r'deployments\.apps "absent" not found') as refused:
        await cluster.get("deployments", "absent")
    assert refused.value.code == 404


async def test_generate_name_adds_five_random_characters(cluster: Cluster) -> None:
    body = config_map()
    body["metadata"] = {"generateName": "settings-"}
    first = await cluster.create("configmaps", body)
    second = await cluster.create("configmaps", body)
    names = {made["metadata"]["name"] for made in (first, second)}
    assert len(names) == 2
    assert all(len(name) == len("settings-") + 5 for name in names)
    assert first["metadata"]["generateName"] == "settings-"


async def test_an_object_for_another_namespace_than_the_request_is_refused(
    cluster: Cluster,
) -> None:
    with pytest.raises(Invalid, match="the namespace of the provided object does not match"):
        await cluster.create("configmaps", config_map(namespace="elsewhere"))


async def test_nothing_is_created_in_a_namespace_that_does_not_exist(cluster: Cluster) -> None:
    with pytest.raises(NotFound, match='namespaces "nowhere-at-all" not found'):
        await cluster.create("configmaps", config_map(), namespace="nowhere-at-all")


async def test_a_body_of_another_kind_is_refused(cluster: Cluster) -> None:
    body = {**config_map(), "apiVersion": "apps/v1", "kind": "Deployment"}
    with pytest.raises(Invalid) as refused:
        await cluster.create("configmaps", body)
    assert refused.value.code == 400


async def test_a_dry_run_shows_the_object_and_stores_nothing(cluster: Cluster) -> None:
    shown = await cluster.create("deployments", deployment(replicas=None), dry_run=True)
    assert shown["spec"]["replicas"] == 1
    assert shown["metadata"]["uid"]
    with pytest.raises(NotFound):
        await cluster.get("deployments", "shop")


async def test_a_list_is_in_the_order_of_names(cluster: Cluster) -> None:
    for name in ("b", "c", "a"):
        await cluster.create("configmaps", config_map(name))
    page = await cluster.list("configmaps", fields="metadata.name!=kube-root-ca.crt")
    assert page.names() == ["a", "b", "c"]
    assert int(page.resource_version) >= int(page.items[1]["metadata"]["resourceVersion"])


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("tier=web", ["a"]),
        ("tier==web", ["a"]),
        ("tier!=web", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier in (web, data)", ["a", "b"]),
        ("tier notin (web)", ["b", "c"]),
        ("tier=web,zone=1", ["a"]),
        ("tier,zone!=1", ["b"]),
        ("", ["a", "b", "c"]),
    ],
)
async def test_a_label_selector_chooses(cluster: Cluster, selector: str, names: list[str]) -> None:
    await cluster.create("configmaps", config_map("a", labels={"tier": "web", "zone": "1"}))
    await cluster.create("configmaps", config_map("b", labels={"tier": "data"}))
    await cluster.create("configmaps", config_map("c"))
    page = await cluster.list("configmaps", labels=selector)
    assert page.names() == names


async def test_a_label_selector_that_cannot_be_read_is_refused(cluster: Cluster) -> None:
    with pytest.raises(Invalid) as refused:
        await cluster.list("configmaps", labels="a in b")
    assert refused.value.code == 400


async def test_a_field_selector_chooses_by_name(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map("a"))
    await cluster.create("configmaps", config_map("b"))
    assert (await cluster.list("configmaps", fields="metadata.name=b")).names() == ["b"]


async def test_pods_can_be_chosen_by_node_and_phase(cluster: Cluster) -> None:
    await cluster.create("pods", pod("unbound"))
    await cluster.create("pods", pod("bound", nodeName="node-9"))
    assert (await cluster.list("pods", fields="spec.nodeName=node-9")).names() == ["bound"]
    assert (await cluster.list("pods", fields="spec.nodeName=")).names() == ["unbound"]
    page = await cluster.list("pods", fields="status.phase=Pending,metadata.name!=bound")
    assert page.names() == ["unbound"]


async def test_a_field_that_may_not_be_selected_is_refused(cluster: Cluster) -> None:
    with pytest.raises(Invalid, match="is not a known field selector"):
        await cluster.list("deployments", fields="spec.replicas=1")


async def test_a_list_comes_in_chunks_of_one_version(cluster: Cluster) -> None:
    for name in "abcde":
        await cluster.create("configmaps", config_map(name, labels={"chunked": "yes"}))
    first = await cluster.list("configmaps", fields="metadata.name!=kube-root-ca.crt", limit=2)
    assert first.names() == ["a", "b"]
    assert first.continue_token
    await cluster.create("configmaps", config_map("cc", labels={"chunked": "yes"}))
    second = await cluster.list(
        "configmaps",
        fields="metadata.name!=kube-root-ca.crt",
        limit=2,
        continue_token=first.continue_token,
    )
    assert second.names() == ["c", "d"]
    assert second.resource_version == first.resource_version
    third = await cluster.list(
        "configmaps",
        fields="metadata.name!=kube-root-ca.crt",
        limit=2,
        continue_token=second.continue_token,
    )
    assert third.names() == ["e"]
    assert not third.continue_token


async def test_a_chunk_tells_how_many_objects_remain(cluster: Cluster) -> None:
    for name in "abcde":
        await cluster.create("leases", {"metadata": {"name": name}, "spec": {}})
    page = await cluster.list("leases", limit=2)
    assert page.remaining_item_count == 3


async def test_a_continue_token_of_nobody_is_refused(cluster: Cluster) -> None:
    with pytest.raises(Invalid, match="continue key is not valid") as refused:
        await cluster.list("configmaps", limit=2, continue_token="garbage")
    assert refused.value.code == 400
