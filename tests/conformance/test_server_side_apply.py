"""Server-side apply: who owns a field, who may change it, and what goes when an owner lets go."""

from __future__ import annotations

import pytest

from serinus.errors import ClusterError, Conflict, Invalid
from tests.conformance.cluster import Cluster, Object
from tests.conformance.manifests import config_map, deployment, service


def managers(body: Object) -> dict[tuple[str, str], Object]:
    """Return the owned fields by manager and operation."""
    return {
        (entry["manager"], entry["operation"]): entry["fieldsV1"]
        for entry in body["metadata"]["managedFields"]
    }


def settings(data: dict[str, str] | None = None) -> Object:
    body: Object = {"metadata": {"name": "settings"}}
    if data is not None:
        body["data"] = data
    return body


def with_containers(*containers: Object) -> Object:
    body = deployment(replicas=0)
    body["spec"]["template"]["spec"]["containers"] = list(containers)
    return body


async def test_an_apply_creates_what_is_not_there(cluster: Cluster) -> None:
    made = await cluster.apply("configmaps", settings({"a": "1"}), manager="people")
    assert made["data"] == {"a": "1"}
    assert managers(made) == {("people", "Apply"): {"f:data": {"f:a": {}}}}


async def test_an_entry_of_managed_fields_says_who_how_when_and_what(cluster: Cluster) -> None:
    made = await cluster.apply("configmaps", settings({"a": "1"}), manager="people")
    [entry] = made["metadata"]["managedFields"]
    assert entry.pop("time").endswith("Z")
    assert entry == {
        "manager": "people",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:a": {}}},
    }


async def test_the_same_apply_again_changes_nothing(cluster: Cluster) -> None:
    made = await cluster.apply("deployments", deployment(replicas=0), manager="people")
    again = await cluster.apply("deployments", deployment(replicas=0), manager="people")
    # The controller may have written a status in between.
    assert managers(again)["people", "Apply"] == managers(made)["people", "Apply"]
    assert again["metadata"]["generation"] == 1
    assert again["spec"] == made["spec"]


async def test_a_create_owns_its_fields_by_update(cluster: Cluster) -> None:
    body = config_map(data={"a": "1"}, labels={"x": "y"})
    made = await cluster.create("configmaps", body, field_manager="maker")
    owned = {"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:labels": {".": {}, "f:x": {}}}}
    assert managers(made) == {("maker", "Update"): owned}


async def test_defaulted_fields_belong_to_whoever_created_the_object_by_update(
    cluster: Cluster,
) -> None:
    made = await cluster.create("deployments", deployment(replicas=0), field_manager="maker")
    owned = managers(made)["maker", "Update"]["f:spec"]
    assert owned["f:progressDeadlineSeconds"] == {}
    assert owned["f:strategy"] == {
        "f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}},
        "f:type": {},
    }
    container = owned["f:template"]["f:spec"]["f:containers"]['k:{"name":"web"}']
    assert container["f:imagePullPolicy"] == {}
    assert container["f:ports"]['k:{"containerPort":80,"protocol":"TCP"}'] == {
        ".": {},
        "f:containerPort": {},
        "f:protocol": {},
    }


async def test_defaulted_fields_belong_to_nobody_after_an_apply(cluster: Cluster) -> None:
    made = await cluster.apply("deployments", deployment(replicas=0), manager="people")
    assert made["spec"]["progressDeadlineSeconds"] == 600
    owned = managers(made)["people", "Apply"]["f:spec"]
    assert set(owned) == {"f:replicas", "f:selector", "f:template"}
    assert owned["f:selector"] == {}


async def test_a_field_of_another_manager_conflicts(cluster: Cluster) -> None:
    await cluster.apply("configmaps", settings({"a": "1"}), manager="one")
    with pytest.raises(Conflict) as refused:
        await cluster.apply("configmaps", settings({"a": "2"}), manager="two")
    assert refused.value.code == 409
    words = 'Apply failed with 1 conflict: conflict with "one": .data.a'
    assert words in str(refused.value)


async def test_several_conflicts_are_all_named(cluster: Cluster) -> None:
    await cluster.apply("configmaps", settings({"a": "1", "b": "1"}), manager="one")
    await cluster.apply("configmaps", settings({"c": "1"}), manager="two")
    body = settings({"a": "2", "b": "2", "c": "2"})
    with pytest.raises(Conflict, match="Apply failed with 3 conflicts") as refused:
        await cluster.apply("configmaps", body, manager="three")
    for words in (
        'conflicts with "one":\n- .data.a\n- .data.b',
        'conflicts with "two":\n- .data.c',
    ):
        assert words in str(refused.value)


async def test_a_conflict_with_an_update_names_its_version_and_time(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(data={"a": "1"}), field_manager="maker")
    words = r'conflict with "maker" using v1( at \S+)?: \.data\.a'
    with pytest.raises(Conflict, match=words):
        await cluster.apply("configmaps", settings({"a": "2"}), manager="people")


async def test_the_details_of_a_conflict_name_each_field(cluster: Cluster) -> None:
    await cluster.apply("configmaps", settings({"a": "1"}), manager="one")
    with pytest.raises(Conflict) as refused:
        await cluster.apply("configmaps", settings({"a": "2"}), manager="two")
    assert refused.value.details is not None
    [cause] = refused.value.details["causes"]
    assert cause["reason"] == "FieldManagerConflict"
    assert cause["message"] == 'conflict with "one"'
    assert cause["field"] == ".data.a"


async def test_force_takes_the_field_from_its_owner(cluster: Cluster) -> None:
    await cluster.apply("configmaps", settings({"a": "1", "b": "1"}), manager="one")
    taken = await cluster.apply("configmaps", settings({"a": "2"}), manager="two", force=True)
    assert taken["data"] == {"a": "2", "b": "1"}
    assert managers(taken) == {
        ("one", "Apply"): {"f:data": {"f:b": {}}},
        ("two", "Apply"): {"f:data": {"f:a": {}}},
    }


async def test_two_managers_may_say_the_same(cluster: Cluster) -> None:
    await cluster.apply("configmaps", settings({"a": "1"}), manager="one")
    shared = await cluster.apply("configmaps", settings({"a": "1"}), manager="two")
    assert set(managers(shared)) == {("one", "Apply"), ("two", "Apply")}
    left = await cluster.apply("configmaps", settings({}), manager="one")
    assert left["data"] == {"a": "1"}
    gone = await cluster.apply("configmaps", settings({}), manager="two")
    assert "data" not in gone


async def test_what_a_manager_no_longer_applies_is_removed(cluster: Cluster) -> None:
    await cluster.apply("configmaps", settings({"a": "1", "b": "1"}), manager="people")
    written = await cluster.apply("configmaps", settings({"b": "1"}), manager="people")
    assert written["data"] == {"b": "1"}


async def test_an_empty_apply_withdraws_everything_and_the_manager(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(data={"a": "1"}), field_manager="maker")
    await cluster.apply("configmaps", settings({"b": "1"}), manager="people")
    left = await cluster.apply("configmaps", settings(), manager="people")
    assert left["data"] == {"a": "1"}
    assert set(managers(left)) == {("maker", "Update")}


async def test_a_withdrawn_field_with_a_default_gets_its_default_back(cluster: Cluster) -> None:
    body = deployment(replicas=0, revisionHistoryLimit=3)
    await cluster.apply("deployments", body, manager="people")
    del body["spec"]["revisionHistoryLimit"]
    written = await cluster.apply("deployments", body, manager="people")
    assert written["spec"]["revisionHistoryLimit"] == 10


async def test_a_patch_takes_over_the_fields_it_changes(cluster: Cluster) -> None:
    await cluster.apply("configmaps", settings({"a": "1", "b": "1"}), manager="people")
    body = {"data": {"a": "2"}}
    written = await cluster.patch("configmaps", "settings", body, field_manager="patcher")
    assert managers(written) == {
        ("people", "Apply"): {"f:data": {"f:b": {}}},
        ("patcher", "Update"): {"f:data": {"f:a": {}}},
    }


async def test_a_patch_that_removes_a_field_takes_it_from_all(cluster: Cluster) -> None:
    await cluster.apply("configmaps", settings({"a": "1", "b": "1"}), manager="people")
    body = {"data": {"a": None}}
    written = await cluster.patch("configmaps", "settings", body, field_manager="patcher")
    assert managers(written) == {("people", "Apply"): {"f:data": {"f:b": {}}}}


async def test_an_update_and_an_apply_of_one_manager_are_two_entries(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(data={"a": "1"}), field_manager="serinus")
    written = await cluster.apply("configmaps", settings({"b": "1"}), manager="serinus")
    assert set(managers(written)) == {("serinus", "Update"), ("serinus", "Apply")}


async def test_an_update_of_another_value_conflicts_even_with_the_same_name(
    cluster: Cluster,
) -> None:
    await cluster.create("configmaps", config_map(data={"a": "1"}), field_manager="serinus")
    with pytest.raises(Conflict, match='conflict with "serinus" using v1'):
        await cluster.apply("configmaps", settings({"a": "2"}), manager="serinus")


async def test_containers_are_a_map_by_name(cluster: Cluster) -> None:
    one = with_containers({"name": "web", "image": "shop:1"})
    await cluster.apply("deployments", one, manager="one")
    two: Object = {"metadata": {"name": "shop"}, "spec": {"template": {"spec": {}}}}
    two["spec"]["template"]["spec"]["containers"] = [{"name": "log", "image": "log:1"}]
    merged = await cluster.apply("deployments", two, manager="two")
    names = [each["name"] for each in merged["spec"]["template"]["spec"]["containers"]]
    assert names == ["web", "log"]
    owned = managers(merged)["two", "Apply"]["f:spec"]["f:template"]["f:spec"]
    assert owned == {"f:containers": {'k:{"name":"log"}': {".": {}, "f:image": {}, "f:name": {}}}}
    del two["spec"]["template"]
    left = await cluster.apply("deployments", two, manager="two")
    names = [each["name"] for each in left["spec"]["template"]["spec"]["containers"]]
    assert names == ["web"]


async def test_one_field_of_a_container_may_have_an_owner_of_its_own(cluster: Cluster) -> None:
    await cluster.apply("deployments", deployment(replicas=0), manager="one")
    body: Object = {
        "metadata": {"name": "shop"},
        "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "shop:2"}]}}},
    }
    taken = await cluster.apply("deployments", body, manager="two", force=True)
    assert taken["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:2"
    owned = managers(taken)["two", "Apply"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert owned == {'k:{"name":"web"}': {".": {}, "f:image": {}, "f:name": {}}}
    with pytest.raises(Conflict, match=r'\.spec\.template\.spec\.containers\[name="web"\]\.image'):
        await cluster.apply("deployments", deployment(replicas=0), manager="one")


async def test_the_order_of_an_applied_list_is_kept(cluster: Cluster) -> None:
    a, b = {"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}
    await cluster.apply("deployments", with_containers(a, b), manager="people")
    written = await cluster.apply("deployments", with_containers(b, a), manager="people")
    names = [each["name"] for each in written["spec"]["template"]["spec"]["containers"]]
    assert names == ["b", "a"]


async def test_finalizers_are_a_set(cluster: Cluster) -> None:
    one = settings()
    one["metadata"]["finalizers"] = ["example.com/one"]
    two = settings()
    two["metadata"]["finalizers"] = ["example.com/two"]
    await cluster.apply("configmaps", one, manager="one")
    both = await cluster.apply("configmaps", two, manager="two")
    assert both["metadata"]["finalizers"] == ["example.com/one", "example.com/two"]
    owned = managers(both)["two", "Apply"]["f:metadata"]["f:finalizers"]
    assert owned == {'v:"example.com/two"': {}}
    left = await cluster.apply("configmaps", settings(), manager="one")
    assert left["metadata"]["finalizers"] == ["example.com/two"]
    await cluster.apply("configmaps", settings(), manager="two")


async def test_the_selector_of_a_service_is_owned_whole(cluster: Cluster) -> None:
    await cluster.apply("services", service(), manager="people")
    body: Object = {"metadata": {"name": "shop"}, "spec": {"selector": {"app": "shop", "x": "y"}}}
    with pytest.raises(Conflict, match=r"\.spec\.selector"):
        await cluster.apply("services", body, manager="serinus")
    written = await cluster.apply("services", body, manager="serinus", force=True)
    assert written["spec"]["selector"] == {"app": "shop", "x": "y"}
    assert managers(written)["serinus", "Apply"] == {"f:spec": {"f:selector": {}}}


async def test_service_ports_are_a_map_by_port_and_protocol(cluster: Cluster) -> None:
    made = await cluster.apply("services", service(), manager="people")
    owned = managers(made)["people", "Apply"]["f:spec"]["f:ports"]
    assert owned == {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}


async def test_a_scale_belongs_to_the_manager_who_scaled(cluster: Cluster) -> None:
    await cluster.apply("deployments", deployment(replicas=0, paused=True), manager="people")
    body = {"spec": {"replicas": 2}}
    await cluster.patch("deployments", "shop", body, subresource="scale", field_manager="scaler")
    written = await cluster.get("deployments", "shop")
    entries = [
        entry for entry in written["metadata"]["managedFields"] if entry["manager"] == "scaler"
    ]
    assert [entry["fieldsV1"] for entry in entries] == [{"f:spec": {"f:replicas": {}}}]
    assert entries[0]["subresource"] == "scale"
    again = deployment(replicas=0, paused=True)
    words = r'conflict with "scaler" with subresource "scale".*replicas'
    with pytest.raises(Conflict, match=words):
        await cluster.apply("deployments", again, manager="people")


async def test_status_fields_have_entries_of_their_own(cluster: Cluster) -> None:
    body = service(type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    await cluster.create("services", body, field_manager="maker")
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    written = await cluster.patch(
        "services", "shop", status, subresource="status", field_manager="cloud"
    )
    by_manager = {each["manager"]: each for each in written["metadata"]["managedFields"]}
    assert by_manager["cloud"]["subresource"] == "status"
    assert by_manager["cloud"]["fieldsV1"] == {"f:status": {"f:loadBalancer": {"f:ingress": {}}}}
    assert "subresource" not in by_manager["maker"]


async def test_an_apply_must_not_carry_managed_fields(cluster: Cluster) -> None:
    made = await cluster.apply("configmaps", settings({"a": "1"}), manager="people")
    with pytest.raises(Invalid, match=r"metadata\.managedFields must be nil") as refused:
        await cluster.apply("configmaps", made, manager="people")
    assert refused.value.code == 400


async def test_an_apply_at_an_old_version_conflicts(cluster: Cluster) -> None:
    made = await cluster.apply("configmaps", settings({"a": "1"}), manager="people")
    await cluster.patch("configmaps", "settings", {"data": {"b": "1"}})
    body = settings({"a": "2"})
    body["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
    with pytest.raises(Conflict, match="the object has been modified"):
        await cluster.apply("configmaps", body, manager="people")


async def test_an_apply_with_an_unknown_field_is_refused(cluster: Cluster) -> None:
    body = settings({"a": "1"})
    body["colour"] = "red"
    with pytest.raises(ClusterError, match=r"\.colour: field not declared in schema") as refused:
        await cluster.apply("configmaps", body, manager="people")
    # A 500, although the fault is the caller's.
    assert refused.value.code == 500


async def test_a_dry_run_of_an_apply_changes_nothing(cluster: Cluster) -> None:
    made = await cluster.apply("configmaps", settings({"a": "1"}), manager="people")
    shown = await cluster.apply("configmaps", settings({"a": "2"}), manager="people", dry_run=True)
    assert shown["data"] == {"a": "2"}
    assert await cluster.get("configmaps", "settings") == made


async def test_cleared_managed_fields_stay_cleared_until_the_next_apply(cluster: Cluster) -> None:
    await cluster.apply("configmaps", settings({"a": "1"}), manager="people")
    body: Object = {"metadata": {"managedFields": [{}]}}
    cleared = await cluster.patch("configmaps", "settings", body)
    assert "managedFields" not in cleared["metadata"]
    written = await cluster.apply("configmaps", settings({"b": "1"}), manager="serinus")
    assert set(managers(written)) == {("before-first-apply", "Update"), ("serinus", "Apply")}
