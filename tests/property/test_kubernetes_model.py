"""Laws of the model: reading, patches, versions, snapshots."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.errors import ClusterError
from serinus.kubernetes_model import quantity
from serinus.kubernetes_model.patches import json_patch, merge_patch, strategic
from serinus.kubernetes_model.schema import loader, reading
from tests.unit.kubernetes_model.world import CONFIG_MAPS, DEPLOYMENTS, World, config_map

KEYS = st.sampled_from(["a", "b", "c"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(KEYS, JSON, max_size=3)
DEPLOYMENT_PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries(
            {}, optional={"labels": st.dictionaries(KEYS, st.none() | st.just("x"), max_size=2)}
        ),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "replicas": st.none() | st.integers(0, 3),
                "paused": st.none() | st.booleans(),
                "template": st.fixed_dictionaries(
                    {
                        "spec": st.fixed_dictionaries(
                            {
                                "containers": st.lists(
                                    st.fixed_dictionaries(
                                        {"name": KEYS, "image": st.sampled_from(["i", "j"])}
                                    ),
                                    max_size=2,
                                    unique_by=lambda item: item["name"],
                                )
                            }
                        )
                    }
                ),
            },
        ),
    },
)


def patched_without_nulls(target: Any, patch: Any) -> Any:
    """The pseudo-code of RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched_without_nulls(result.get(key), value)
    return result


@given(DOCUMENTS, DOCUMENTS)
def test_a_merge_patch_does_what_its_rfc_says(target: Any, patch: Any) -> None:
    before = copy.deepcopy(target)
    assert merge_patch.apply(target, patch) == patched_without_nulls(target, patch)
    assert target == before


@given(DOCUMENTS, KEYS, JSON)
def test_a_json_patch_that_adds_and_removes_comes_back(document: Any, key: str, value: Any) -> None:
    document.pop(key, None)
    added = json_patch.apply(document, [{"op": "add", "path": f"/{key}", "value": value}])
    assert added[key] == value
    assert json_patch.apply(added, [{"op": "remove", "path": f"/{key}"}]) == document


@settings(deadline=None)
@given(DEPLOYMENT_PATCHES, DEPLOYMENT_PATCHES)
def test_a_strategic_patch_given_twice_does_no_more_than_once(one: Any, two: Any) -> None:
    node = loader.built_in().of(DEPLOYMENTS)
    start = strategic.apply(node, {"metadata": {}, "spec": {}}, one)
    once = strategic.apply(node, start, two)
    assert strategic.apply(node, once, two) == once


@settings(deadline=None)
@given(DEPLOYMENT_PATCHES)
def test_what_was_read_reads_the_same_again(manifest: Any) -> None:
    node = loader.built_in().of(DEPLOYMENTS)
    once, _ = reading.read(node, manifest)
    again, unknown = reading.read(node, once)
    assert again == once
    assert unknown == []


@given(st.integers(-(10**6), 10**6), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "u"]))
def test_the_canonical_form_of_a_quantity_is_the_same_amount(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    form = quantity.canonical(text)
    assert quantity.canonical(form) == form
    if suffix != "u":
        assert quantity.parse(form) == quantity.parse(text)


WRITES = st.lists(
    st.tuples(
        st.sampled_from(["create", "merge", "apply", "delete"]),
        st.sampled_from(["one", "two"]),
        st.dictionaries(KEYS, st.sampled_from(["x", "y"]), max_size=2),
    ),
    max_size=8,
)


def carry_out(world: World, verb: str, name: str, data: dict[str, str]) -> None:
    if verb == "create":
        world.create(CONFIG_MAPS, config_map(name, **data))
    elif verb == "merge":
        world.patch(CONFIG_MAPS, name, {"data": data})
    elif verb == "apply":
        world.apply(CONFIG_MAPS, config_map(name, **data), "someone", force=True)
    else:
        world.delete(CONFIG_MAPS, name)


@settings(max_examples=60, deadline=None)
@given(WRITES)
def test_the_changes_tell_the_whole_story(writes: list[tuple[str, str, dict[str, str]]]) -> None:
    world = World()
    begin = world.cluster.resource_version
    heard: list[Any] = []
    world.cluster.on_change.append(heard.append)
    for verb, name, data in writes:
        before = world.cluster.resource_version
        try:
            carry_out(world, verb, name, data)
        except ClusterError:
            assert world.cluster.resource_version == before
    known: dict[str, Any] = {}
    for change in heard:
        assert known.get(change.object["metadata"]["name"]) == change.previous
        if change.type.value == "DELETED":
            del known[change.object["metadata"]["name"]]
        else:
            known[change.object["metadata"]["name"]] = change.object
    items = world.cluster.list(CONFIG_MAPS, "default").items
    assert {item["metadata"]["name"]: item for item in items} == known
    assert list(world.cluster.changes_since(CONFIG_MAPS, begin)) == heard
    assert [change.version for change in heard] == sorted({c.version for c in heard})


@settings(max_examples=40, deadline=None)
@given(WRITES)
def test_a_restored_snapshot_answers_as_the_original(
    writes: list[tuple[str, str, dict[str, str]]],
) -> None:
    world, copy_ = World(), World()
    for verb, name, data in writes:
        try:
            carry_out(world, verb, name, data)
        except ClusterError:
            continue
    objects, version = world.cluster.snapshot()
    copy_.cluster.restore(copy.deepcopy(list(objects)), version)
    assert copy_.cluster.list(CONFIG_MAPS) == world.cluster.list(CONFIG_MAPS)
    assert copy_.cluster.snapshot()[1] == version
