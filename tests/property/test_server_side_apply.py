"""Laws of server-side apply that hold for any configurations by any managers."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.errors import Conflict, Invalid
from serinus.kubernetes_model import Object
from serinus.kubernetes_model.fields import sets, typed
from serinus.kubernetes_model.schema import loader
from tests.unit.kubernetes_model.world import DEPLOYMENTS, World, deployment, managers

NAMES = st.sampled_from(["web", "side", "log"])
VALUES = st.sampled_from(["one", "two"])
IMAGES = st.sampled_from(["nginx:1", "nginx:2"])
ENVIRONMENT = st.dictionaries(NAMES, VALUES, max_size=2).map(
    lambda values: [{"name": name, "value": value} for name, value in values.items()]
)


@st.composite
def configurations(draw: st.DrawFn) -> Object:
    """Draw a partial Deployment."""
    spec: dict[str, Any] = {}
    if draw(st.booleans()):
        spec["paused"] = True
    if draw(st.booleans()):
        spec["replicas"] = draw(st.integers(0, 3))
    names = draw(st.lists(NAMES, max_size=2, unique=True))
    if names:
        spec["template"] = {
            "spec": {
                "containers": [
                    {"name": name, "image": draw(IMAGES), "env": draw(ENVIRONMENT)}
                    for name in names
                ]
            }
        }
    labels = draw(st.dictionaries(NAMES, VALUES, max_size=2))
    return {"metadata": {"name": "shop", "labels": labels}, "spec": spec}


def world() -> World:
    made = World()
    made.create(DEPLOYMENTS, deployment(), field_manager="founder")
    return made


def owned_by(item: Object, manager: str) -> set[sets.Path]:
    return set(sets.paths(managers(item).get((manager, "Apply"), {})))


@settings(max_examples=60, deadline=None)
@given(configurations())
def test_applying_the_same_again_changes_nothing(config: Object) -> None:
    cluster = world()
    first = cluster.apply(DEPLOYMENTS, config, "serinus", force=True)
    second = cluster.apply(DEPLOYMENTS, config, "serinus")
    assert not second.changed
    assert second.object == first.object


@settings(max_examples=60, deadline=None)
@given(configurations(), configurations())
def test_what_was_applied_by_force_is_there_and_owned(one: Object, other: Object) -> None:
    cluster = world()
    cluster.apply(DEPLOYMENTS, one, "one", force=True)
    found = cluster.apply(DEPLOYMENTS, other, "other", force=True).object
    for key in ("paused", "replicas"):
        if key in other["spec"]:
            assert found["spec"][key] == other["spec"][key]
            assert ("f:spec", f"f:{key}") in owned_by(found, "other")
    labels = found["metadata"].get("labels", {})
    assert other["metadata"]["labels"].items() <= labels.items()
    by_name = {c["name"]: c for c in found["spec"]["template"]["spec"]["containers"]}
    for container in other["spec"].get("template", {}).get("spec", {}).get("containers", ()):
        assert by_name[container["name"]]["image"] == container["image"]


@settings(max_examples=60, deadline=None)
@given(configurations())
def test_withdrawing_all_leaves_no_trace_of_an_applier(one: Object) -> None:
    cluster = world()
    before = cluster.get(DEPLOYMENTS, "shop")
    config = {"metadata": one["metadata"], "spec": {"paused": True, **one["spec"]}}
    config["spec"].pop("replicas", None)
    config["spec"].pop("template", None)
    cluster.apply(DEPLOYMENTS, config, "serinus")
    last = cluster.apply(DEPLOYMENTS, {"metadata": {"name": "shop"}}, "serinus").object
    assert ("serinus", "Apply") not in managers(last)
    assert last["spec"] == before["spec"]
    assert last["metadata"].get("labels") == before["metadata"].get("labels")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["one", "two"]), configurations()), max_size=4))
def test_nobody_owns_what_is_not_there(writes: list[tuple[str, Object]]) -> None:
    cluster = world()
    for manager, config in writes:
        # Who took a container's image by force and withdraws it leaves an invalid container.
        with contextlib.suppress(Invalid):
            cluster.apply(DEPLOYMENTS, config, manager, force=True)
    found = cluster.get(DEPLOYMENTS, "shop")
    node = loader.built_in().of(DEPLOYMENTS)
    present = set(sets.paths(typed.with_named_fields(node, typed.field_set(node, found))))
    for entry in found["metadata"]["managedFields"]:
        absent = {path for path in sets.paths(entry["fieldsV1"]) if path not in present}
        # An empty list or map is owned by its path alone.
        assert not {path for path in absent if path[-1][:2] == "k:"}, entry["manager"]


@settings(max_examples=60, deadline=None)
@given(configurations(), configurations())
def test_a_refused_apply_changes_nothing(one: Object, other: Object) -> None:
    cluster = world()
    cluster.apply(DEPLOYMENTS, one, "one", force=True)
    before = cluster.get(DEPLOYMENTS, "shop")
    try:
        cluster.apply(DEPLOYMENTS, other, "other")
    except Conflict:
        assert cluster.get(DEPLOYMENTS, "shop") is before
