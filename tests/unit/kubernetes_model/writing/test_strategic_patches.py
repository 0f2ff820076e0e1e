"""Strategic merge patches: items by key, order, directives."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.kubernetes_model import kinds
from serinus.kubernetes_model.patches import PatchError, json_patch, strategic
from serinus.kubernetes_model.schema import loader

NODE = loader.built_in().of(kinds.PODS)
NODE_OF_DEPLOYMENTS = loader.built_in().of(kinds.DEPLOYMENTS)
POD: dict[str, Any] = {
    "metadata": {"finalizers": ["a", "b"]},
    "spec": {
        "containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}],
        "tolerations": [{"key": "x"}],
        "nodeSelector": {"k": "v"},
    },
}


def containers(*items: Any, **more: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(items), **more}}


def names(item: dict[str, Any]) -> list[str]:
    return [container["name"] for container in item["spec"]["containers"]]


def test_items_merge_by_their_key() -> None:
    found = strategic.apply(NODE, POD, containers({"name": "b", "image": "2", "tty": True}))
    assert found["spec"]["containers"] == [
        {"name": "a", "image": "1"},
        {"name": "b", "image": "2", "tty": True},
    ]
    assert POD["spec"]["containers"][1] == {"name": "b", "image": "1"}


def test_new_items_come_and_directives_in_them_do_not() -> None:
    patch = containers({"name": "c", "image": None, "env": [{"name": "A", "$patch": "delete"}]})
    found = strategic.apply(NODE, POD, patch)
    assert found["spec"]["containers"][0] == {"name": "c", "env": []}
    assert names(found) == ["c", "a", "b"]


def test_an_item_is_deleted_by_its_key() -> None:
    assert names(strategic.apply(NODE, POD, containers({"name": "a", "$patch": "delete"}))) == ["b"]


def test_a_list_is_replaced_when_told() -> None:
    patch = containers({"$patch": "replace"}, {"name": "z"})
    assert names(strategic.apply(NODE, POD, patch)) == ["z"]


def test_the_order_may_be_set() -> None:
    order = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    assert names(strategic.apply(NODE, POD, {"spec": order})) == ["b", "a"]
    more = {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}
    assert names(strategic.apply(NODE, POD, containers({"name": "c"}, **more))) == ["c", "a", "b"]


def test_lists_without_a_key_are_replaced_or_joined() -> None:
    found = strategic.apply(NODE, POD, {"spec": {"tolerations": [{"key": "y"}]}})
    assert found["spec"]["tolerations"] == [{"key": "y"}]
    found = strategic.apply(NODE, POD, {"metadata": {"finalizers": ["c", "a"]}})
    assert sorted(found["metadata"]["finalizers"]) == ["a", "b", "c"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic.apply(NODE, POD, patch)["metadata"]["finalizers"] == ["b"]


def test_maps_merge_are_replaced_or_emptied() -> None:
    spec = {"nodeSelector": {"l": "w", "k": None}}
    assert strategic.apply(NODE, POD, {"spec": spec})["spec"]["nodeSelector"] == {"l": "w"}
    spec = {"nodeSelector": {"$patch": "replace", "m": "x"}}
    assert strategic.apply(NODE, POD, {"spec": spec})["spec"]["nodeSelector"] == {"m": "x"}
    spec = {"nodeSelector": {"$patch": "delete"}}
    assert strategic.apply(NODE, POD, {"spec": spec})["spec"]["nodeSelector"] == {}


def test_only_named_keys_are_retained() -> None:
    start = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    found = strategic.apply(NODE_OF_DEPLOYMENTS, start, patch)
    assert found == {"spec": {"strategy": {"type": "Recreate"}}}
    patch["spec"]["strategy"]["$retainKeys"] = []
    with pytest.raises(PatchError, match="retainKeys"):
        strategic.apply(NODE_OF_DEPLOYMENTS, start, patch)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (containers({"image": "x"}), "does not contain declared merge key: name"),
        (containers({"$patch": "delete"}), "does not contain declared merge key: name"),
        (containers({"name": "a", "$patch": "x"}), "unknown patch type: x"),
        (containers("a"), "received another type"),
        ({"spec": {"$setElementOrder/containers": "x"}}, "received another type"),
    ],
)
def test_a_malformed_patch_is_refused(patch: Any, message: str) -> None:
    with pytest.raises(PatchError, match=message):
        strategic.apply(NODE, POD, patch)


DOCUMENT: dict[str, Any] = {"a": {"b~/": [1, 2]}, "n": None}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/a/b~0~1/1", "value": 9}, {"a": {"b~/": [1, 9, 2]}, "n": None}),
        ({"op": "add", "path": "/a/b~0~1/-", "value": 9}, {"a": {"b~/": [1, 2, 9]}, "n": None}),
        ({"op": "remove", "path": "/a/b~0~1/0"}, {"a": {"b~/": [2]}, "n": None}),
        ({"op": "replace", "path": "/a", "value": 1}, {"a": 1, "n": None}),
        ({"op": "move", "from": "/a", "path": "/c"}, {"c": {"b~/": [1, 2]}, "n": None}),
        ({"op": "copy", "from": "/n", "path": "/a"}, {"a": None, "n": None}),
        ({"op": "test", "path": "/n", "value": None}, DOCUMENT),
        ({"op": "test", "path": "/absent", "value": None}, DOCUMENT),
        ({"op": "replace", "path": "", "value": {}}, {}),
    ],
)
def test_a_json_patch_does_what_its_rfc_says(operation: Any, expected: Any) -> None:
    assert json_patch.apply(DOCUMENT, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/x"},
        {"op": "replace", "path": "/x", "value": 1},
        {"op": "add", "path": "/x/y", "value": 1},
        {"op": "add", "path": "/a/b~0~1/9", "value": 1},
        {"op": "add", "path": "/a/b~0~1/x", "value": 1},
        {"op": "add", "path": "x", "value": 1},
        {"op": "add", "path": "/x"},
        {"op": "move", "path": "/x"},
        {"op": "copy", "from": "/x", "path": "/y"},
        {"op": "test", "path": "/a", "value": 1},
        {"op": "test", "path": "/a/b~0~1/0", "value": True},
        {"op": "fly", "path": "/a"},
        {"op": "add"},
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(operation: Any) -> None:
    with pytest.raises(PatchError):
        json_patch.apply(DOCUMENT, [operation])
