"""Scale, binding, eviction."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.errors import Conflict, Invalid, NotFound, Unavailable
from serinus.kubernetes_model import PatchType, Written, kinds
from tests.unit.kubernetes_model.world import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACE,
    PODS,
    World,
    deployment,
    managers,
    pod,
)


def act(world: World, verb: str, body: Any, name: str = "web") -> Written:
    return world.cluster.create(PODS, body, NAMESPACE, now=world.now, subresource=verb, name=name)


def test_a_scale_shows_and_changes_one_number() -> None:
    world = World()
    world.create(DEPLOYMENTS, deployment())
    shown = world.cluster.get(DEPLOYMENTS, "shop", NAMESPACE, subresource="scale")
    assert shown["kind"] == "Scale"
    assert shown["spec"] == {"replicas": 3}
    assert shown["status"] == {"replicas": 0, "selector": "app=shop"}
    written = world.replace(
        DEPLOYMENTS, {**shown, "spec": {"replicas": 5}}, "scale", field_manager="scaler"
    )
    assert written.object["spec"] == {"replicas": 5}
    found = world.get(DEPLOYMENTS, "shop")
    assert found["spec"]["replicas"] == 5
    assert found["metadata"]["generation"] == 2
    assert managers(found)["scaler", "Update"] == {"f:spec": {"f:replicas": {}}}
    with pytest.raises(Conflict):
        world.replace(DEPLOYMENTS, {**shown, "spec": {"replicas": 7}}, "scale")


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (PatchType.MERGE, {"spec": {"replicas": 7}}),
        (PatchType.JSON, [{"op": "replace", "path": "/spec/replicas", "value": 7}]),
    ],
)
def test_a_scale_is_patched(kind: PatchType, patch: Any) -> None:
    world = World()
    world.create(DEPLOYMENTS, deployment())
    world.patch(DEPLOYMENTS, "shop", patch, kind, subresource="scale")
    assert world.get(DEPLOYMENTS, "shop")["spec"]["replicas"] == 7


def test_a_scale_below_zero_or_of_nothing_is_refused() -> None:
    world = World()
    world.create(DEPLOYMENTS, deployment())
    with pytest.raises(Invalid, match="must be greater than or equal to 0"):
        world.patch(DEPLOYMENTS, "shop", {"spec": {"replicas": -1}}, subresource="scale")
    with pytest.raises(NotFound):
        world.patch(DEPLOYMENTS, "absent", {}, subresource="scale")
    with pytest.raises(NotFound, match="could not find the requested resource"):
        world.patch(CONFIG_MAPS, "x", {}, subresource="scale")


def test_a_binding_puts_a_pod_on_a_node_once() -> None:
    world = World()
    world.create(PODS, pod())
    binding = {"target": {"kind": "Node", "name": "left"}, "metadata": {"labels": {"z": "1"}}}
    assert act(world, "binding", binding).object["status"] == "Success"
    found = world.get(PODS, "web")
    assert found["spec"]["nodeName"] == "left"
    assert found["status"]["conditions"][0]["type"] == "PodScheduled"
    assert found["metadata"]["labels"] == {"app": "shop", "z": "1"}
    with pytest.raises(Conflict, match=r'pods/binding "web": pod web is already assigned to node'):
        act(world, "binding", binding)
    with pytest.raises(Invalid, match=r"target.name: Required value"):
        act(world, "binding", {})


def test_an_eviction_deletes_unless_a_budget_forbids() -> None:
    world = World()
    for name in ("web", "side"):
        world.create(PODS, pod(name))
        world.patch(PODS, name, {"status": {"phase": "Running"}}, subresource="status")
    selector = {"matchLabels": {"app": "shop"}}
    budget = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": selector}}
    world.create(kinds.POD_DISRUPTION_BUDGETS, budget)
    counts = {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1}
    world.patch(kinds.POD_DISRUPTION_BUDGETS, "b", {"status": counts}, subresource="status")
    act(world, "eviction", {})
    assert not world.exists(PODS, "web")
    with pytest.raises(Unavailable, match="would violate the pod's disruption budget") as refused:
        act(world, "eviction", {}, "side")
    assert refused.value.code == 429
    assert world.exists(PODS, "side")


def test_a_pod_has_no_other_verbs() -> None:
    world = World()
    world.create(PODS, pod())
    with pytest.raises(Invalid, match="create is not supported"):
        act(world, "log", {})
    with pytest.raises(NotFound):
        act(world, "binding", {}, "absent")
