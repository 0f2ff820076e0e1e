"""Server-side apply: conflicts, force, withdrawal, takeover from kubectl's own apply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serinus.errors import Conflict, Invalid
from serinus.kubernetes_model import failures
from tests.unit.kubernetes_model.world import (
    DEPLOYMENTS,
    SERVICES,
    World,
    deployment,
    managers,
    service,
)

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def started() -> World:
    world = World()
    world.create(DEPLOYMENTS, deployment(), field_manager="founder")
    return world


def config(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop"}, "spec": spec}


def test_an_apply_creates_what_is_not_there() -> None:
    world = World()
    made = world.apply(DEPLOYMENTS, deployment(), "serinus")
    assert made.created
    owned = managers(made.object)["serinus", "Apply"]
    assert owned["f:spec"]["f:replicas"] == {}
    assert "f:strategy" not in owned["f:spec"]
    assert made.object["spec"]["strategy"]["type"] == "RollingUpdate"


def test_a_field_of_another_manager_conflicts() -> None:
    world = started()
    with pytest.raises(Conflict) as refused:
        world.apply(DEPLOYMENTS, config(replicas=5), "serinus")
    status = failures.status(refused.value)
    owner = 'conflict with "founder" using apps/v1'
    assert status["message"] == f"Apply failed with 1 conflict: {owner}: .spec.replicas"
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": owner, "field": ".spec.replicas"}
    ]


def test_several_conflicts_are_listed_by_manager() -> None:
    world = started()
    world.apply(DEPLOYMENTS, config(paused=True), "pauser")
    containers = [{"name": "web", "image": "other"}]
    wanted = config(replicas=5, template={"spec": {"containers": containers}})
    with pytest.raises(Conflict) as refused:
        world.apply(DEPLOYMENTS, wanted, "serinus")
    assert str(refused.value) == (
        'Apply failed with 2 conflicts: conflicts with "founder" using apps/v1:\n'
        "- .spec.replicas\n"
        '- .spec.template.spec.containers[name="web"].image'
    )


def test_the_same_value_is_shared() -> None:
    world = started()
    written = world.apply(DEPLOYMENTS, config(replicas=3), "serinus")
    owned = managers(written.object)
    assert owned["serinus", "Apply"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" in owned["founder", "Update"]["f:spec"]
    entry = next(
        e for e in written.object["metadata"]["managedFields"] if e["operation"] == "Apply"
    )
    assert "time" not in entry


def test_force_takes_the_field() -> None:
    world = started()
    written = world.apply(DEPLOYMENTS, config(replicas=5), "serinus", force=True)
    assert written.object["spec"]["replicas"] == 5
    assert "f:replicas" not in managers(written.object)["founder", "Update"]["f:spec"]


def test_a_field_that_is_named_no_more_goes_when_nobody_else_names_it() -> None:
    world = started()
    world.apply(DEPLOYMENTS, config(paused=True, minReadySeconds=5), "serinus")
    found = world.apply(DEPLOYMENTS, config(minReadySeconds=5), "serinus").object
    assert "paused" not in found["spec"]
    assert found["spec"]["minReadySeconds"] == 5


def test_a_field_with_another_applier_stays() -> None:
    world = started()
    world.apply(DEPLOYMENTS, config(paused=True), "one")
    world.apply(DEPLOYMENTS, config(paused=True), "two")
    found = world.apply(DEPLOYMENTS, {"metadata": {"name": "shop"}}, "one").object
    assert found["spec"]["paused"] is True
    assert ("one", "Apply") not in managers(found)


def test_a_container_that_is_named_no_more_goes() -> None:
    world = started()
    side = {"name": "side", "image": "side"}
    template = {"spec": {"containers": [side]}}
    found = world.apply(DEPLOYMENTS, config(template=template), "serinus").object
    names = [c["name"] for c in found["spec"]["template"]["spec"]["containers"]]
    assert names == ["web", "side"]
    found = world.apply(DEPLOYMENTS, config(), "serinus").object
    assert [c["name"] for c in found["spec"]["template"]["spec"]["containers"]] == ["web"]


def test_a_selector_is_taken_as_a_whole() -> None:
    world = World()
    world.create(SERVICES, service(), field_manager="founder")
    wanted = {"metadata": {"name": "shop"}, "spec": {"selector": {"hash": "1"}}}
    with pytest.raises(Conflict, match=r"\.spec\.selector$"):
        world.apply(SERVICES, wanted, "serinus")
    found = world.apply(SERVICES, wanted, "serinus", force=True).object
    assert found["spec"]["selector"] == {"hash": "1"}


def test_a_zero_that_go_leaves_out_is_owned_all_the_same() -> None:
    world = started()
    found = world.apply(DEPLOYMENTS, config(paused=False), "serinus").object
    assert "paused" not in found["spec"]
    assert managers(found)["serinus", "Apply"] == {"f:spec": {"f:paused": {}}}


def test_kubectl_takes_over_from_its_own_client_side_apply() -> None:
    world = World()
    body = deployment()
    written = {"apiVersion": "apps/v1", "kind": "Deployment", **body}
    body["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(written)}
    world.create(DEPLOYMENTS, body, field_manager="kubectl-client-side-apply")
    with pytest.raises(Conflict):
        world.apply(DEPLOYMENTS, config(replicas=5), "someone")
    found = world.apply(DEPLOYMENTS, config(replicas=5), "kubectl").object
    assert found["spec"]["replicas"] == 5
    kept = json.loads(found["metadata"]["annotations"][LAST_APPLIED])
    assert kept["spec"] == {"replicas": 5}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"spec": {"foo": 1}}, r"\.spec\.foo: field not declared in schema"),
        ({"spec": {"replicas": "3"}}, "expected numeric .int or float., got string"),
        ({"spec": {"paused": 1}}, "expected boolean, got 1"),
        ({"spec": {"template": []}}, "expected map, got"),
        ({"spec": {"template": {"spec": {"containers": {}}}}}, "expected list, got"),
        (
            {"spec": {"template": {"spec": {"containers": [{"name": "a"}, {"name": "a"}]}}}},
            'containers: duplicate entries for key .name="a".',
        ),
    ],
)
def test_a_configuration_that_does_not_fit_its_type_is_refused(body: Any, message: str) -> None:
    whole = {"metadata": {"name": "shop"}, **body}
    with pytest.raises(Invalid, match=f"failed to create typed patch object .*{message}") as no:
        started().apply(DEPLOYMENTS, whole, "serinus")
    assert no.value.code == 500
    assert "reason" not in failures.status(no.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "Foo"}, "invalid object type: apps/v1, Kind=Foo"),
        ({"metadata": {"name": "shop", "managedFields": [{}]}}, "managedFields must be nil"),
        ({"metadata": {"name": "shop", "namespace": "x"}}, "does not match the namespace"),
        ({"metadata": {"name": "shop", "uid": "x"}}, "field is immutable"),
    ],
)
def test_a_configuration_for_something_else_is_refused(change: Any, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        started().apply(DEPLOYMENTS, {**config(), **change}, "serinus")


def test_an_apply_at_an_old_version_conflicts() -> None:
    world = started()
    wanted = {"metadata": {"name": "shop", "resourceVersion": "1"}, "spec": {"paused": True}}
    with pytest.raises(Conflict, match="the object has been modified"):
        world.apply(DEPLOYMENTS, wanted, "serinus")


def test_an_apply_of_a_certain_object_does_not_create_another() -> None:
    wanted = deployment()
    wanted["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(Conflict, match="uid mismatch"):
        World().apply(DEPLOYMENTS, wanted, "serinus")
