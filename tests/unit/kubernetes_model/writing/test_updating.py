"""Replace and patch: versions, no-ops, generations, what stays."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.errors import Conflict, Invalid, NotFound
from serinus.kubernetes_model import FieldValidation, PatchType, kinds
from tests.unit.kubernetes_model.world import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    PODS,
    World,
    config_map,
    deployment,
    managers,
    pod,
)


def started() -> World:
    world = World()
    world.create(CONFIG_MAPS, config_map(a="1"))
    world.create(DEPLOYMENTS, deployment(), field_manager="founder")
    return world


def test_a_write_that_changes_nothing_keeps_the_resource_version() -> None:
    world = started()
    found = world.get(DEPLOYMENTS, "shop")
    for written in (
        world.replace(DEPLOYMENTS, found),
        world.patch(DEPLOYMENTS, "shop", {}),
        world.patch(DEPLOYMENTS, "shop", {"spec": {"replicas": 3}}, PatchType.STRATEGIC),
        world.patch(DEPLOYMENTS, "shop", [], PatchType.JSON),
    ):
        assert not written.changed
        assert written.object is found


def test_a_replace_at_an_old_version_conflicts() -> None:
    world = started()
    old = world.get(CONFIG_MAPS, "settings")
    world.patch(CONFIG_MAPS, "settings", {"data": {"a": "2"}})
    with pytest.raises(Conflict, match="the object has been modified; please apply your changes"):
        world.replace(CONFIG_MAPS, {**old, "data": {"a": "3"}})
    assert world.get(CONFIG_MAPS, "settings")["data"] == {"a": "2"}


def test_a_replace_without_a_version_wins() -> None:
    world = started()
    assert world.replace(CONFIG_MAPS, config_map(b="1")).object["data"] == {"b": "1"}


def test_a_lease_is_not_replaced_without_a_version() -> None:
    world = World()
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    world.create(kinds.LEASES, lease)
    with pytest.raises(Invalid, match=r"metadata.resourceVersion: Invalid value: 0: must be"):
        world.replace(kinds.LEASES, lease)


def test_a_put_of_a_free_name_creates_where_kubernetes_does() -> None:
    world = World()
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    assert world.replace(kinds.LEASES, lease).created
    with pytest.raises(NotFound, match='configmaps "settings" not found'):
        world.replace(CONFIG_MAPS, config_map())


def test_a_replace_of_another_object_of_that_name_conflicts() -> None:
    body = config_map()
    body["metadata"]["uid"] = "other"
    with pytest.raises(Conflict, match="Precondition failed: UID in precondition: other"):
        started().replace(CONFIG_MAPS, body)


def test_what_the_server_gave_stays() -> None:
    world = started()
    before = world.get(CONFIG_MAPS, "settings")["metadata"]
    after = world.replace(CONFIG_MAPS, config_map(z="1")).object["metadata"]
    for key in ("uid", "creationTimestamp", "namespace"):
        assert after[key] == before[key]


@pytest.mark.parametrize(
    ("change", "generation"),
    [
        ({"spec": {"replicas": 5}}, 2),
        ({"metadata": {"annotations": {"a": "b"}}}, 2),
        ({"metadata": {"labels": {"a": "b"}}}, 1),
        ({"status": {"replicas": 9}}, 1),
    ],
)
def test_the_generation_of_a_deployment_counts(change: Any, generation: int) -> None:
    world = started()
    written = world.patch(DEPLOYMENTS, "shop", change)
    assert written.object["metadata"]["generation"] == generation
    assert written.object["status"] == {}


def test_a_status_write_touches_nothing_else() -> None:
    world = started()
    change = {
        "metadata": {"labels": {"x": "y"}, "annotations": {"a": "b"}},
        "spec": {"replicas": 9},
        "status": {"replicas": 3, "observedGeneration": 1},
    }
    found = world.patch(DEPLOYMENTS, "shop", change, subresource="status").object
    assert found["spec"]["replicas"] == 3
    assert found["status"] == {"replicas": 3, "observedGeneration": 1}
    assert found["metadata"]["generation"] == 1
    assert "labels" not in found["metadata"]
    # Annotations do go through; that is how the Deployment controller writes revisions.
    assert found["metadata"]["annotations"] == {"a": "b"}
    entry = next(e for e in found["metadata"]["managedFields"] if e.get("subresource"))
    assert entry["subresource"] == "status"
    assert set(entry["fieldsV1"]) == {"f:metadata", "f:status"}


def test_a_status_that_contradicts_itself_is_refused() -> None:
    change = {"status": {"replicas": 1, "readyReplicas": 2}}
    with pytest.raises(Invalid, match=r"cannot be greater than status.replicas"):
        started().patch(DEPLOYMENTS, "shop", change, subresource="status")


def test_the_selector_of_a_deployment_is_for_life() -> None:
    change = {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
    with pytest.raises(Invalid, match=r"spec.selector: Invalid value: .*: field is immutable"):
        started().patch(DEPLOYMENTS, "shop", change)


def test_of_a_pods_specification_only_the_image_changes() -> None:
    world = World()
    world.create(PODS, pod())
    image = {"spec": {"containers": [{"name": "web", "image": "nginx:2"}]}}
    found = world.patch(PODS, "web", image, PatchType.STRATEGIC).object
    assert found["spec"]["containers"][0]["image"] == "nginx:2"
    assert found["metadata"]["generation"] == 2
    command = {"spec": {"containers": [{"name": "web", "command": ["x"]}]}}
    with pytest.raises(Invalid, match="pod updates may not change fields other than"):
        world.patch(PODS, "web", command, PatchType.STRATEGIC)
    another = {"spec": {"containers": [{"name": "two", "image": "x"}]}}
    with pytest.raises(Invalid, match="pod updates may not add or remove containers"):
        world.patch(PODS, "web", another, PatchType.STRATEGIC)


def test_a_patch_may_carry_a_version_as_a_condition() -> None:
    world = started()
    version = world.get(CONFIG_MAPS, "settings")["metadata"]["resourceVersion"]
    body = {"metadata": {"resourceVersion": version}, "data": {"a": "2"}}
    assert world.patch(CONFIG_MAPS, "settings", body).changed
    with pytest.raises(Conflict):
        world.patch(CONFIG_MAPS, "settings", body)


@pytest.mark.parametrize(
    ("patch", "kind", "message"),
    [
        ({"metadata": {"name": "x"}}, PatchType.MERGE, "does not match the name on the URL"),
        ({"metadata": {"namespace": "x"}}, PatchType.MERGE, "does not match the namespace"),
        ({"metadata": None}, PatchType.MERGE, "no object with metadata"),
        ([], PatchType.MERGE, "Invalid JSON Patch"),
        ([], PatchType.STRATEGIC, "cannot unmarshal array"),
        ({}, PatchType.JSON, "error decoding patch"),
        ([{"op": "remove", "path": "/x"}], PatchType.JSON, "due to an error in our request"),
        ([{"op": "test", "path": "/spec/replicas", "value": 9}], PatchType.JSON, "rejected our"),
        ({"spec": {"replicas": "x"}}, PatchType.MERGE, "cannot unmarshal string"),
        ({"metadata": {"uid": "x"}}, PatchType.MERGE, "metadata.uid: Invalid value"),
        ({"spec": {"$patch": "x"}}, PatchType.STRATEGIC, "unknown patch type: x"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(patch: Any, kind: PatchType, message: str) -> None:
    world = started()
    before = world.get(DEPLOYMENTS, "shop")
    with pytest.raises(Invalid, match=message):
        world.patch(DEPLOYMENTS, "shop", patch, kind)
    assert world.get(DEPLOYMENTS, "shop") is before


def test_a_strict_patch_names_unknown_fields() -> None:
    world = started()
    with pytest.raises(Invalid, match=r'map\[spec:map\[foo:1\]\]": strict decoding error'):
        world.patch(
            DEPLOYMENTS,
            "shop",
            {"spec": {"foo": 1}},
            PatchType.STRATEGIC,
            field_validation=FieldValidation.STRICT,
        )


def test_managed_fields_follow_updates() -> None:
    world = started()
    world.patch(DEPLOYMENTS, "shop", {"spec": {"replicas": 5}}, field_manager="scaler")
    owned = managers(world.get(DEPLOYMENTS, "shop"))
    assert owned["scaler", "Update"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owned["founder", "Update"]["f:spec"]
    world.patch(
        DEPLOYMENTS, "shop", {"spec": {"strategy": {"$patch": "delete"}}}, PatchType.STRATEGIC
    )
    body = {**world.get(DEPLOYMENTS, "shop")}
    body["metadata"] = {**body["metadata"], "managedFields": []}
    assert managers(world.replace(DEPLOYMENTS, body).object) == {}


def test_more_than_ten_updaters_are_folded_into_one() -> None:
    world = started()
    for number in range(14):
        world.patch(
            CONFIG_MAPS, "settings", {"data": {f"k{number}": "1"}}, field_manager=f"m{number}"
        )
    owned = managers(world.get(CONFIG_MAPS, "settings"))
    assert len(owned) == 10
    assert {"f:k0", "f:k4"} <= owned["ancient-changes", "Update"]["f:data"].keys()


def test_an_immutable_config_map_stays() -> None:
    world = started()
    world.patch(CONFIG_MAPS, "settings", {"immutable": True})
    with pytest.raises(Invalid, match="field is immutable when `immutable` is set"):
        world.patch(CONFIG_MAPS, "settings", {"data": {"a": "2"}})
