from __future__ import annotations

from typing import Any

import pytest

from serinus.kubernetes_model.kinds import DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS
from serinus.kubernetes_model.requests import Object
from tests.unit.kubernetes_model.workloads.world import World, a_deployment, a_template, condition

SELECTOR = {"matchLabels": {"app": "shop"}}


def a_budget(**spec: Any) -> Object:
    return {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "shop"},
        "spec": {"selector": SELECTOR, **spec},
    }


def a_world(replicas: int = 4, **spec: Any) -> World:
    world = World()
    world.apply(a_deployment(replicas=replicas))
    world.apply(a_budget(**spec))
    world.settle()
    return world


def counts(world: World) -> tuple[int, int, int, int]:
    """Return what there should be, what is healthy, what must be, and what may go."""
    status = world.get(POD_DISRUPTION_BUDGETS, "shop")["status"]
    fields = ("expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed")
    expected, healthy, desired, allowed = (status[field] for field in fields)
    return expected, healthy, desired, allowed


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"minAvailable": 3}, 3, 1),
        ({"minAvailable": "30%"}, 2, 2),
        ({"maxUnavailable": 1}, 3, 1),
        ({"maxUnavailable": "30%"}, 2, 2),
        ({"maxUnavailable": 9}, 0, 4),
        ({"minAvailable": 9}, 9, 0),
    ],
)
def test_a_budget_says_how_many_pods_may_go(
    spec: dict[str, Any], desired: int, allowed: int
) -> None:
    world = a_world(4, **spec)
    assert counts(world) == (4, 4, desired, allowed)
    told = condition(world.get(POD_DISRUPTION_BUDGETS, "shop"), "DisruptionAllowed")
    assert told["reason"] == ("SufficientPods" if allowed else "InsufficientPods")


def test_pods_that_leave_or_are_not_ready_are_not_healthy() -> None:
    world = a_world(4, minAvailable=1)
    first, second, *_ = world.pods()
    world.set_ready(first, ready=False)
    world.run()
    assert counts(world)[1] == 3
    world.delete(PODS, second["metadata"]["name"])
    world.run()
    assert counts(world)[1] == 2


def test_a_share_follows_the_size_of_the_deployment() -> None:
    world = a_world(4, maxUnavailable="50%")
    world.change(DEPLOYMENTS, "shop", replicas=10)
    world.settle()
    assert counts(world) == (10, 10, 5, 5)


def test_an_evicted_pod_counts_as_gone_for_two_minutes_at_most() -> None:
    world = a_world(2, minAvailable=1)
    budget = world.get(POD_DISRUPTION_BUDGETS, "shop")
    name = world.pods()[0]["metadata"]["name"]
    granted = {name: condition(budget, "DisruptionAllowed")["lastTransitionTime"]}
    status = {**budget["status"], "disruptedPods": granted}
    world.replace(POD_DISRUPTION_BUDGETS, {**budget, "status": status}, "status")
    world.run()
    assert counts(world)[1] == 1
    assert world.wake_at is not None
    world.pass_time(world.wake_at - world.now)
    assert counts(world)[1] == 2
    assert "disruptedPods" not in world.get(POD_DISRUPTION_BUDGETS, "shop")["status"]


def test_a_pod_of_an_unknown_kind_of_controller_forbids_every_disruption() -> None:
    world = a_world(2, maxUnavailable=1)
    owner = world.apply({"kind": "ConfigMap", "metadata": {"name": "owner"}})
    template = a_template("shop:1")
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    metadata = {"name": "odd", **template["metadata"], "ownerReferences": [reference]}
    world.apply({"kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    world.settle()
    told = condition(world.get(POD_DISRUPTION_BUDGETS, "shop"), "DisruptionAllowed")
    assert (told["status"], told["reason"], told["message"]) == (
        "False",
        "SyncFailed",
        "configmaps does not implement the scale subresource",
    )
    assert counts(world)[3] == 0


def test_a_pod_without_controller_adds_nothing_to_what_is_expected() -> None:
    world = a_world(2, maxUnavailable=1)
    template = a_template("shop:1", alone="yes")
    metadata = {"name": "loose", **template["metadata"]}
    world.apply({"kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    world.settle()
    assert counts(world) == (2, 3, 1, 2)


def test_a_budget_without_pods_allows_nothing() -> None:
    world = World()
    world.apply(a_budget(maxUnavailable=1))
    world.settle()
    assert counts(world) == (0, 0, 0, 0)


def test_an_empty_selector_protects_the_whole_namespace_and_a_missing_one_nothing() -> None:
    world = a_world(2, minAvailable=1)
    world.apply(a_budget(minAvailable=1, selector={}))
    world.settle()
    assert counts(world)[0] == 2
    budget = world.get(POD_DISRUPTION_BUDGETS, "shop")
    spec = {"minAvailable": 1}
    world.replace(POD_DISRUPTION_BUDGETS, {**budget, "spec": spec})
    world.settle()
    assert counts(world)[0] == 0
