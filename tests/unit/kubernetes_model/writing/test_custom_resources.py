"""Custom resources: their definition, schema, versions and end."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.errors import Gone, Invalid, NotFound
from serinus.kubernetes_model import FieldValidation, PatchType, Resource, kinds
from tests.unit.kubernetes_model.world import NAMESPACE, World, managers

DEFINITIONS = kinds.CUSTOM_RESOURCE_DEFINITIONS
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "x-kubernetes-validations": [
                {"rule": "self.size != 9", "message": "nine is not a size"},
                {"rule": "self.size >= oldSelf.size"},
            ],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 10},
                "title": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5},
                "mode": {"type": "string", "enum": ["A", "B"], "default": "A"},
                "tags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "x-kubernetes-list-type": "set",
                },
                "parts": {
                    "type": "array",
                    "maxItems": 3,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["id"],
                    "items": {
                        "type": "object",
                        "required": ["id"],
                        "properties": {
                            "id": {"type": "string"},
                            "count": {"type": "integer", "default": 7},
                        },
                    },
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "port": {"x-kubernetes-int-or-string": True},
                "either": {
                    "type": "object",
                    "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                    "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
                },
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
}


def definition() -> dict[str, Any]:
    stored = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": SCHEMA},
    }
    older = {
        "name": "v1beta1",
        "served": True,
        "storage": False,
        "schema": {"openAPIV3Schema": SCHEMA},
    }
    return {
        "metadata": {"name": "widgets.example.dev"},
        "spec": {
            "group": "example.dev",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [stored, older],
        },
    }


def evaluate(rule: str, variables: dict[str, Any]) -> bool:
    """Stand in for CEL with the two rules of the schema."""
    if rule == "self.size != 9":
        return bool(variables["self"]["size"] != 9)
    return bool(variables["self"]["size"] >= variables["oldSelf"]["size"])


def started() -> tuple[World, Resource]:
    world = World(evaluate=evaluate)
    world.create(DEFINITIONS, definition())
    resource = world.cluster.resource("example.dev/v1", "Widget")
    assert resource is not None
    return world, resource


def widget(name: str = "w", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"size": 3, **spec}}


def test_a_definition_is_established_at_once_and_served() -> None:
    world, resource = started()
    made = world.get(DEFINITIONS, "widgets.example.dev")
    assert made["spec"]["names"]["listKind"] == "WidgetList"
    assert made["spec"]["names"]["singular"] == "widget"
    assert made["status"]["storedVersions"] == ["v1"]
    states = {c["type"]: c["status"] for c in made["status"]["conditions"]}
    assert states == {"NamesAccepted": "True", "Established": "True"}
    assert resource.short_names == ("wd",)
    assert resource.subresources == ("status",)
    assert resource in world.cluster.resources


def test_objects_are_pruned_and_get_defaults() -> None:
    world, resource = started()
    spec: dict[str, Any] = {
        "colour": 1,
        "parts": [{"id": "a"}],
        "free": {"x": [{"y": 1}]},
        "port": "http",
    }
    body = {**widget(**spec), "status": {"phase": "x"}}
    written = world.write(resource, body)
    assert written.warnings == ('unknown field "spec.colour"',)
    made = written.object
    assert made["spec"] == {
        "size": 3,
        "mode": "A",
        "parts": [{"id": "a", "count": 7}],
        "free": {"x": [{"y": 1}]},
        "port": "http",
    }
    assert "status" not in made
    assert made["metadata"]["generation"] == 1


def test_a_null_that_may_not_be_is_absent() -> None:
    world, resource = started()
    made = world.create(resource, widget(mode=None, title=None))
    assert made["spec"] == {"size": 3, "mode": "A"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"size": 30}, "spec.size in body should be less than or equal to 10"),
        ({"size": 0}, "spec.size in body should be greater than or equal to 1"),
        ({"size": "x"}, 'spec.size in body must be of type integer: "string"'),
        ({"title": "A"}, "spec.title in body should be at least 2 chars long"),
        ({"title": "toolong"}, "spec.title: Too long: may not be more than 5 bytes"),
        ({"title": "AB"}, r"should match '\^\[a-z\]\+\$'"),
        ({"mode": "C"}, 'spec.mode: Unsupported value: "C": supported values: "A", "B"'),
        ({"tags": ["a", "a"]}, r'spec.tags\[1\]: Duplicate value: "a"'),
        ({"parts": [{"id": "a"}, {"id": "a"}]}, r'spec.parts\[1\]: Duplicate value: {"id":"a"}'),
        ({"parts": [{}]}, r"spec.parts\[0\].id: Required value"),
        ({"parts": [{"id": str(n)} for n in range(4)]}, "Too many: 4: must have at most 3 items"),
        ({"port": True}, 'must be of type integer,string: "boolean"'),
        ({"either": {}}, "must validate one and only one schema"),
        ({"size": 9}, 'spec: Invalid value: "object": nine is not a size'),
    ],
)
def test_what_the_schema_forbids_is_refused(spec: Any, message: str) -> None:
    world, resource = started()
    with pytest.raises(Invalid, match=message):
        world.create(resource, widget(**spec))
    assert world.cluster.list(resource).items == []


def test_a_rule_may_compare_with_the_old_object() -> None:
    world, resource = started()
    world.create(resource, widget(size=5))
    with pytest.raises(Invalid, match=r"failed rule: self.size >= oldSelf.size"):
        world.patch(resource, "w", {"spec": {"size": 4}})
    assert world.patch(resource, "w", {"spec": {"size": 6}}).changed


def test_status_and_specification_are_written_apart() -> None:
    world, resource = started()
    world.create(resource, widget())
    change = {"spec": {"size": 5}, "status": {"phase": "x"}, "metadata": {"labels": {"a": "b"}}}
    found = world.patch(resource, "w", change, subresource="status", field_manager="c").object
    assert found["spec"]["size"] == 3
    assert found["status"] == {"phase": "x"}
    assert found["metadata"]["generation"] == 1
    assert "labels" not in found["metadata"]
    assert managers(found)["c", "Update"] == {"f:status": {".": {}, "f:phase": {}}}
    found = world.patch(resource, "w", change).object
    assert found["spec"]["size"] == 5
    assert found["metadata"]["generation"] == 2


def test_lists_merge_by_their_declared_kind_in_an_apply() -> None:
    world, resource = started()
    world.create(resource, widget(parts=[{"id": "a"}], tags=["x"]))
    config = {"metadata": {"name": "w"}, "spec": {"parts": [{"id": "b"}], "tags": ["y"]}}
    found = world.apply(resource, config, "serinus").object
    assert [part["id"] for part in found["spec"]["parts"]] == ["a", "b"]
    assert found["spec"]["tags"] == ["x", "y"]
    found = world.apply(resource, {"metadata": {"name": "w"}}, "serinus").object
    assert [part["id"] for part in found["spec"]["parts"]] == ["a"]
    with pytest.raises(Invalid, match=r"\.spec\.zz: field not declared in schema"):
        world.apply(resource, {"metadata": {"name": "w"}, "spec": {"zz": 1}}, "serinus")


def test_a_strategic_patch_is_not_taken() -> None:
    world, resource = started()
    world.create(resource, widget())
    with pytest.raises(Invalid, match="the body of the request was in an unknown format") as no:
        world.patch(resource, "w", {}, PatchType.STRATEGIC)
    assert no.value.code == 415


def test_both_versions_show_the_same_object() -> None:
    world, resource = started()
    world.create(resource, widget())
    older = world.cluster.resource("example.dev/v1beta1", "Widget")
    assert older is not None
    assert world.get(older, "w")["apiVersion"] == "example.dev/v1beta1"
    world.patch(older, "w", {"spec": {"size": 8}})
    assert world.get(resource, "w")["spec"]["size"] == 8
    assert world.get(resource, "w")["apiVersion"] == "example.dev/v1"


def test_an_update_needs_a_version_and_a_strict_create_no_unknown_fields() -> None:
    world, resource = started()
    world.create(resource, widget())
    with pytest.raises(Invalid, match="must be specified for an update"):
        world.replace(resource, widget(size=5))
    with pytest.raises(NotFound):
        world.replace(resource, widget("absent"))
    with pytest.raises(Invalid, match=r'unknown field "spec.zz"'):
        world.write(resource, widget("x", zz=1), field_validation=FieldValidation.STRICT)


def test_the_objects_go_before_their_definition() -> None:
    world, resource = started()
    world.create(resource, widget())
    kept = widget("kept")
    kept["metadata"]["finalizers"] = ["a.b/c"]
    world.create(resource, kept)
    world.delete(DEFINITIONS, "widgets.example.dev")
    assert [i["metadata"]["name"] for i in world.cluster.list(resource).items] == ["kept"]
    assert world.exists(DEFINITIONS, "widgets.example.dev")
    world.patch(resource, "kept", {"metadata": {"finalizers": None}})
    assert not world.exists(DEFINITIONS, "widgets.example.dev")
    with pytest.raises(NotFound, match="could not find the requested resource"):
        world.create(resource, widget())


def test_a_watch_from_before_the_definition_is_gone() -> None:
    world = World()
    begin = world.cluster.resource_version
    world.create(DEFINITIONS, definition())
    resource = world.cluster.resource("example.dev/v1", "Widget")
    with pytest.raises(Gone):
        world.cluster.changes_since(resource, begin)


def test_a_restored_cluster_serves_its_custom_resources() -> None:
    world, resource = started()
    world.create(resource, widget())
    other = World(evaluate=evaluate)
    other.cluster.restore(*world.cluster.snapshot())
    assert other.cluster.get(resource, "w", NAMESPACE) == world.get(resource, "w")
    other.now = world.now
    assert other.patch(resource, "w", {"spec": {"size": 4}}).changed


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("metadata", "name"), "x", r'must be spec.names.plural\+"."\+spec.group'),
        (("spec", "scope"), "Foo", "spec.scope: Unsupported value"),
        (("spec", "versions"), [], "must have exactly one version marked as storage version"),
        (("spec", "names", "kind"), "", "spec.names.kind: Required value"),
    ],
)
def test_a_definition_that_is_wrong_is_refused(path: Any, value: Any, message: str) -> None:
    body = definition()
    place = body
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(Invalid, match=message):
        World().create(DEFINITIONS, body)


def test_a_schema_without_types_is_refused() -> None:
    body = definition()
    body["spec"]["versions"][0]["schema"] = {
        "openAPIV3Schema": {"type": "object", "properties": {"a": {}, "b": {"type": "array"}}}
    }
    with pytest.raises(Invalid, match="must not be empty for specified object fields"):
        World().create(DEFINITIONS, body)
