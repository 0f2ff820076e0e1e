"""JSON, merge and strategic merge patches."""

from __future__ import annotations

import pytest

from serinus.errors import Invalid, NotFound
from tests.conformance.cluster import Cluster, Object
from tests.conformance.manifests import config_map, deployment, service


def containers(body: Object) -> list[str]:
    return [each["name"] for each in body["spec"]["template"]["spec"]["containers"]]


def in_pod(**fields: object) -> Object:
    return {"spec": {"template": {"spec": fields}}}


@pytest.fixture
async def shop(cluster: Cluster) -> Object:
    """A Deployment at 0 with containers web and log."""
    body = deployment(replicas=0)
    body["spec"]["template"]["spec"]["containers"].append({"name": "log", "image": "log:1"})
    return await cluster.create("deployments", body)


async def test_a_merge_patch_removes_what_is_null(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(data={"a": "1", "b": "2"}))
    written = await cluster.patch("configmaps", "settings", {"data": {"a": None, "c": "3"}})
    assert written["data"] == {"b": "2", "c": "3"}


async def test_a_merge_patch_replaces_lists_whole(cluster: Cluster, shop: Object) -> None:
    body = in_pod(containers=[{"name": "new", "image": "new:1"}])
    assert containers(await cluster.patch("deployments", "shop", body)) == ["new"]


async def test_a_patch_of_a_missing_object_is_refused(cluster: Cluster) -> None:
    with pytest.raises(NotFound, match='configmaps "absent" not found'):
        await cluster.patch("configmaps", "absent", {"data": {}})


async def test_a_patch_cannot_rename(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map())
    with pytest.raises(Invalid) as refused:
        await cluster.patch("configmaps", "settings", {"metadata": {"name": "other"}})
    assert refused.value.code == 400


async def test_a_json_patch_adds_replaces_removes_moves_and_copies(cluster: Cluster) -> None:
    body = config_map(data={"a": "1", "b": "2"}, labels={"x/y": "3"})
    await cluster.create("configmaps", body)
    patch = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "add", "path": "/data/c", "value": "4"},
        {"op": "replace", "path": "/data/a", "value": "5"},
        {"op": "remove", "path": "/metadata/labels/x~1y"},
        {"op": "move", "from": "/data/b", "path": "/data/d"},
        {"op": "copy", "from": "/data/c", "path": "/data/e"},
    ]
    written = await cluster.patch("configmaps", "settings", patch, type="json")
    assert written["data"] == {"a": "5", "c": "4", "d": "2", "e": "4"}
    assert "labels" not in written["metadata"]


async def test_a_json_patch_inserts_into_lists(cluster: Cluster, shop: Object) -> None:
    where = "/spec/template/spec/containers"
    patch = [
        {"op": "add", "path": f"{where}/0", "value": {"name": "first", "image": "a:1"}},
        {"op": "add", "path": f"{where}/-", "value": {"name": "last", "image": "b:1"}},
    ]
    written = await cluster.patch("deployments", "shop", patch, type="json")
    assert containers(written) == ["first", "web", "log", "last"]


async def test_a_json_patch_whose_test_fails_changes_nothing(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", config_map(data={"a": "1"}))
    patch = [
        {"op": "replace", "path": "/data/a", "value": "2"},
        {"op": "test", "path": "/data/a", "value": "3"},
    ]
    with pytest.raises(Invalid) as refused:
        await cluster.patch("configmaps", "settings", patch, type="json")
    assert refused.value.code == 422
    assert await cluster.get("configmaps", "settings") == made


async def test_a_json_patch_of_a_missing_path_is_refused(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(data={"a": "1"}))
    patch = [{"op": "remove", "path": "/data/b"}]
    with pytest.raises(Invalid) as refused:
        await cluster.patch("configmaps", "settings", patch, type="json")
    assert refused.value.code == 422


async def test_a_strategic_patch_merges_containers_by_name(cluster: Cluster, shop: Object) -> None:
    body = in_pod(containers=[{"name": "log", "image": "log:2"}])
    written = await cluster.patch("deployments", "shop", body, type="strategic")
    images = {c["name"]: c["image"] for c in written["spec"]["template"]["spec"]["containers"]}
    assert images == {"web": "shop:1", "log": "log:2"}


async def test_a_strategic_patch_puts_new_containers_first(cluster: Cluster, shop: Object) -> None:
    body = in_pod(containers=[{"name": "new", "image": "new:1"}])
    written = await cluster.patch("deployments", "shop", body, type="strategic")
    assert containers(written) == ["new", "web", "log"]


async def test_a_strategic_patch_deletes_list_entries_by_key(
    cluster: Cluster, shop: Object
) -> None:
    body = in_pod(containers=[{"name": "log", "$patch": "delete"}])
    written = await cluster.patch("deployments", "shop", body, type="strategic")
    assert containers(written) == ["web"]


async def test_a_strategic_patch_replaces_a_list_when_told_so(
    cluster: Cluster, shop: Object
) -> None:
    body = in_pod(containers=[{"$patch": "replace"}, {"name": "new", "image": "new:1"}])
    written = await cluster.patch("deployments", "shop", body, type="strategic")
    assert containers(written) == ["new"]


async def test_a_strategic_patch_orders_a_list(cluster: Cluster, shop: Object) -> None:
    body = in_pod(
        **{
            "$setElementOrder/containers": [{"name": "log"}, {"name": "new"}, {"name": "web"}],
            "containers": [{"name": "new", "image": "new:1"}],
        }
    )
    written = await cluster.patch("deployments", "shop", body, type="strategic")
    assert containers(written) == ["log", "new", "web"]


async def test_a_strategic_patch_merges_environment_within_a_container(
    cluster: Cluster, shop: Object
) -> None:
    def env(*entries: Object) -> Object:
        return in_pod(containers=[{"name": "web", "env": list(entries)}])

    body = env({"name": "A", "value": "1"}, {"name": "B", "value": "2"})
    await cluster.patch("deployments", "shop", body, type="strategic")
    body = env({"name": "A", "$patch": "delete"}, {"name": "B", "value": "3"})
    written = await cluster.patch("deployments", "shop", body, type="strategic")
    web = written["spec"]["template"]["spec"]["containers"][0]
    assert web["env"] == [{"name": "B", "value": "3"}]


async def test_a_strategic_patch_removes_what_is_null(cluster: Cluster, shop: Object) -> None:
    await cluster.patch("deployments", "shop", {"spec": {"minReadySeconds": 5}})
    body = {"spec": {"minReadySeconds": None}}
    written = await cluster.patch("deployments", "shop", body, type="strategic")
    assert "minReadySeconds" not in written["spec"]


async def test_a_strategic_patch_replaces_a_map_when_told_so(
    cluster: Cluster, shop: Object
) -> None:
    body = {"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}}
    written = await cluster.patch("deployments", "shop", body, type="strategic")
    assert written["spec"]["strategy"] == {"type": "Recreate"}


async def test_a_strategic_patch_retains_the_named_keys_of_a_map(
    cluster: Cluster, shop: Object
) -> None:
    body = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    written = await cluster.patch("deployments", "shop", body, type="strategic")
    assert written["spec"]["strategy"] == {"type": "Recreate"}


async def test_a_merge_patch_to_recreate_leaves_rolling_update_behind_and_is_refused(
    cluster: Cluster, shop: Object
) -> None:
    with pytest.raises(Invalid, match="may not be specified when strategy `type` is 'Recreate'"):
        await cluster.patch("deployments", "shop", {"spec": {"strategy": {"type": "Recreate"}}})


async def test_a_strategic_patch_merges_service_ports_by_port(cluster: Cluster) -> None:
    ports = [{"name": "web", "port": 80}, {"name": "admin", "port": 81}]
    await cluster.create("services", service(ports=ports))
    body: Object = {"spec": {"ports": [{"port": 81, "targetPort": 8081}]}}
    written = await cluster.patch("services", "shop", body, type="strategic")
    targets = {port["port"]: port["targetPort"] for port in written["spec"]["ports"]}
    assert targets == {80: 80, 81: 8081}
    body = {"spec": {"ports": [{"port": 80, "$patch": "delete"}]}}
    written = await cluster.patch("services", "shop", body, type="strategic")
    assert [port["port"] for port in written["spec"]["ports"]] == [81]


async def test_a_strategic_patch_deletes_from_a_set_of_plain_values(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(finalizers=["example.com/a", "example.com/b"]))
    body = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}
    written = await cluster.patch("configmaps", "settings", body, type="strategic")
    assert written["metadata"]["finalizers"] == ["example.com/b"]
    body = {"metadata": {"finalizers": ["example.com/c"]}}
    written = await cluster.patch("configmaps", "settings", body, type="strategic")
    assert sorted(written["metadata"]["finalizers"]) == ["example.com/b", "example.com/c"]


async def test_selector_labels_of_a_service_are_merged_key_by_key(cluster: Cluster) -> None:
    await cluster.create("services", service())
    body: Object = {"spec": {"selector": {"track": "stable"}}}
    written = await cluster.patch("services", "shop", body, type="strategic")
    assert written["spec"]["selector"] == {"app": "shop", "track": "stable"}
    body = {"spec": {"selector": {"track": None}}}
    written = await cluster.patch("services", "shop", body)
    assert written["spec"]["selector"] == {"app": "shop"}


async def test_a_dry_run_of_a_patch_changes_nothing(cluster: Cluster) -> None:
    made = await cluster.create("configmaps", config_map(data={"a": "1"}))
    shown = await cluster.patch("configmaps", "settings", {"data": {"a": "2"}}, dry_run=True)
    assert shown["data"] == {"a": "2"}
    assert shown["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert await cluster.get("configmaps", "settings") == made
