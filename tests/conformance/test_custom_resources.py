"""Kinds that a CustomResourceDefinition adds: served, defaulted, pruned, validated, owned."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.errors import Conflict, Gone, Invalid, NotFound
from tests.conformance.cluster import Cluster, Object

STRING: Object = {"type": "string"}


async def things(cluster: Cluster, spec: Object, **version: Any) -> str:
    """Define `Thing` in a group of this case; return the apiVersion of its objects."""
    group = f"{cluster.namespace}.example.com"
    schema = {"type": "object", "properties": {"spec": spec, "status": _STATUS}}
    await cluster.define(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"things.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": schema},
                        **version,
                    }
                ],
            },
        }
    )
    return f"{group}/v1"


_STATUS: Object = {
    "type": "object",
    "properties": {"seen": {"type": "integer"}},
}


def a_spec(**properties: Object) -> Object:
    return {"type": "object", "properties": properties}


def thing(api_version: str, **spec: Any) -> Object:
    body = {"apiVersion": api_version, "kind": "Thing", "metadata": {"name": "one"}}
    return {**body, "spec": spec}


async def test_an_object_of_a_new_kind_is_kept(cluster: Cluster) -> None:
    api = await things(cluster, a_spec(colour=STRING))
    made = await cluster.create("things", thing(api, colour="red"))
    assert made["spec"] == {"colour": "red"}
    assert made["metadata"]["generation"] == 1
    assert await cluster.get("things", "one") == made
    assert (await cluster.list("things")).names() == ["one"]


async def test_a_missing_object_is_named_with_its_group(cluster: Cluster) -> None:
    await things(cluster, a_spec(colour=STRING))
    words = f'things.{cluster.namespace}.example.com "absent" not found'
    with pytest.raises(NotFound, match=words):
        await cluster.get("things", "absent")


async def test_defaults_are_filled_in(cluster: Cluster) -> None:
    size = {"type": "integer", "default": 3}
    limits = {"type": "object", "default": {}, "properties": {"low": size}}
    api = await things(cluster, a_spec(size=size, limits=limits))
    made = await cluster.create("things", thing(api))
    assert made["spec"] == {"size": 3, "limits": {"low": 3}}


async def test_fields_that_the_schema_does_not_know_are_pruned(cluster: Cluster) -> None:
    api = await things(cluster, a_spec(colour=STRING))
    body = thing(api, colour="red", shape="round")
    made = await cluster.create("things", body, field_validation="Warn")
    assert made["spec"] == {"colour": "red"}
    assert cluster.warnings == ['unknown field "spec.shape"']
    with pytest.raises(Invalid, match=r'unknown field "spec\.shape"'):
        await cluster.replace("things", body, field_validation="Strict")


async def test_fields_are_kept_where_the_schema_says_so(cluster: Cluster) -> None:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    api = await things(cluster, a_spec(free=free))
    made = await cluster.create("things", thing(api, free={"any": {"thing": 1}}))
    assert made["spec"] == {"free": {"any": {"thing": 1}}}


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        (STRING, 1, 'spec.x: Invalid value: "integer"'),
        ({"type": "integer", "minimum": 2}, 1, "should be greater than or equal to 2"),
        ({"type": "integer", "maximum": 2}, 3, "should be less than or equal to 2"),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'supported values: "a", "b"'),
        ({"type": "string", "pattern": "^a"}, "b", "should match '^a'"),
        ({"type": "string", "maxLength": 1}, "ab", "Too long: may not be more than 1 byte"),
        ({"type": "array", "items": STRING, "maxItems": 1}, ["a", "b"], "must have at most 1 item"),
        (
            {"type": "object", "properties": {"a": STRING}, "required": ["a"]},
            {},
            "spec.x.a: Required value",
        ),
    ],
)
async def test_an_object_that_breaks_the_schema_is_refused(
    cluster: Cluster, schema: Object, value: Any, words: str
) -> None:
    api = await things(cluster, a_spec(x=schema))
    with pytest.raises(Invalid) as refused:
        await cluster.create("things", thing(api, x=value))
    assert refused.value.code == 422
    assert words in str(refused.value)
    assert "Thing." in str(refused.value)


async def test_a_rule_of_the_schema_refuses_with_its_own_message(cluster: Cluster) -> None:
    spec = a_spec(low={"type": "integer"}, high={"type": "integer"})
    spec["x-kubernetes-validations"] = [
        {"rule": "self.low <= self.high", "message": "low must not exceed high"}
    ]
    api = await things(cluster, spec)
    assert await cluster.create("things", thing(api, low=1, high=2))
    with pytest.raises(Invalid, match="low must not exceed high"):
        await cluster.patch("things", "one", {"spec": {"low": 3}})


async def test_a_rule_may_ask_whether_a_list_is_sorted(cluster: Cluster) -> None:
    numbers = {"type": "array", "items": {"type": "number"}, "maxItems": 10}
    numbers["x-kubernetes-validations"] = [
        {"rule": "self.map(n, double(n)).isSorted()", "message": "must not fall"}
    ]
    api = await things(cluster, a_spec(numbers=numbers))
    assert await cluster.create("things", thing(api, numbers=[1, 1, 2.5, 10]))
    with pytest.raises(Invalid, match="must not fall"):
        await cluster.patch("things", "one", {"spec": {"numbers": [1, 2.5, 2]}})
    assert await cluster.patch("things", "one", {"spec": {"numbers": []}})


async def test_a_rule_may_compare_with_the_old_object(cluster: Cluster) -> None:
    fixed = {
        "type": "string",
        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is fixed"}],
    }
    api = await things(cluster, a_spec(name=fixed))
    await cluster.create("things", thing(api, name="a"))
    with pytest.raises(Invalid, match="is fixed"):
        await cluster.patch("things", "one", {"spec": {"name": "b"}})


async def test_with_a_status_subresource_each_side_keeps_to_itself(cluster: Cluster) -> None:
    api = await things(cluster, a_spec(colour=STRING), subresources={"status": {}})
    body = {**thing(api, colour="red"), "status": {"seen": 1}}
    made = await cluster.create("things", body)
    assert "status" not in made
    patch = {"spec": {"colour": "blue"}, "status": {"seen": 2}}
    written = await cluster.patch("things", "one", patch, subresource="status")
    assert written["spec"] == {"colour": "red"}
    assert written["status"] == {"seen": 2}
    assert written["metadata"]["generation"] == 1
    written = await cluster.patch("things", "one", patch)
    assert written["spec"] == {"colour": "blue"}
    assert written["metadata"]["generation"] == 2


async def test_without_a_status_subresource_status_is_a_field_like_others(cluster: Cluster) -> None:
    api = await things(cluster, a_spec(colour=STRING))
    body = {**thing(api), "status": {"seen": 1}}
    made = await cluster.create("things", body)
    assert made["status"] == {"seen": 1}
    with pytest.raises(NotFound):
        await cluster.patch("things", "one", {"status": {"seen": 2}}, subresource="status")


async def test_a_strategic_patch_is_refused(cluster: Cluster) -> None:
    api = await things(cluster, a_spec(colour=STRING))
    await cluster.create("things", thing(api, colour="red"))
    with pytest.raises(Invalid) as refused:
        await cluster.patch("things", "one", {"spec": {"colour": "blue"}}, type="strategic")
    assert refused.value.code == 415


async def test_apply_knows_lists_that_are_maps(cluster: Cluster) -> None:
    items = a_spec(name=STRING, value=STRING)
    items["required"] = ["name"]
    entries = {
        "type": "array",
        "items": items,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    api = await things(cluster, a_spec(entries=entries))
    one = thing(api, entries=[{"name": "a", "value": "1"}])
    two = thing(api, entries=[{"name": "b", "value": "2"}])
    await cluster.apply("things", one, manager="one")
    merged = await cluster.apply("things", two, manager="two")
    assert [each["name"] for each in merged["spec"]["entries"]] == ["a", "b"]
    two["spec"]["entries"] = [{"name": "a", "value": "2"}]
    with pytest.raises(Conflict, match=r'\.spec\.entries\[name="a"\]\.value'):
        await cluster.apply("things", two, manager="two")


async def test_a_list_without_a_type_is_owned_whole(cluster: Cluster) -> None:
    api = await things(cluster, a_spec(names={"type": "array", "items": STRING}))
    await cluster.apply("things", thing(api, names=["a"]), manager="one")
    with pytest.raises(Conflict, match=r"\.spec\.names"):
        await cluster.apply("things", thing(api, names=["a", "b"]), manager="two")


async def test_a_watch_from_before_the_kind_was_there_is_gone(cluster: Cluster) -> None:
    await things(cluster, a_spec(colour=STRING))
    watch = cluster.watch("things", from_version="1")
    with pytest.raises(Gone, match="too old resource version") as refused:
        await watch.next()
    assert refused.value.code == 410


async def test_objects_go_with_their_definition(cluster: Cluster) -> None:
    api = await things(cluster, a_spec(colour=STRING))
    await cluster.create("things", thing(api, colour="red"))
    name = f"things.{cluster.namespace}.example.com"
    await cluster.delete("customresourcedefinitions", name)

    async def gone() -> None:
        names = (await cluster.list("customresourcedefinitions")).names()
        assert name not in names

    await cluster.eventually(gone)
