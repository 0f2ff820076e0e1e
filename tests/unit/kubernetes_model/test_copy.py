"""A copy of a cluster goes its own way from where its original was."""

from __future__ import annotations

import itertools

from serinus.kubernetes_model.cluster import Cluster
from serinus.kubernetes_model.controllers import Controllers
from serinus.kubernetes_model.kinds import DEPLOYMENTS, PODS, SERVICES
from tests.unit.kubernetes_model.workloads.world import World, a_deployment


def a_copy(world: World) -> Cluster:
    numbers = itertools.count(1)
    return world.cluster.copy(new_id=lambda: f"copy-{next(numbers)}")


def test_a_copy_holds_what_its_original_holds() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    copied = a_copy(world)
    assert list(copied.snapshot()[0]) == world.everything()
    assert copied.resource_version == world.cluster.resource_version
    assert copied.changes_since(PODS, 1) == world.cluster.changes_since(PODS, 1)


def test_what_happens_to_one_does_not_happen_to_the_other() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    copied = a_copy(world)
    controllers = Controllers(copied, like=world.controllers)
    world.change(DEPLOYMENTS, "shop", replicas=5)
    world.settle()
    assert len(world.pods()) == 5
    assert len(copied.list(PODS).items) == 3
    copied.delete(DEPLOYMENTS, "shop", "default", now=world.now)
    controllers.run(world.now)
    assert copied.list(DEPLOYMENTS).items == []
    assert world.deployment()["spec"]["replicas"] == 5


def test_the_controllers_of_a_copy_go_on_where_the_others_are() -> None:
    world = World()
    world.apply(a_deployment())
    world.controllers.step(world.now)
    controllers = Controllers(a_copy(world), like=world.controllers)
    assert controllers.pending == world.controllers.pending != ()


def test_controllers_in_the_same_state_have_nothing_to_do_when_the_others_have_not() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    assert Controllers(a_copy(world), like=world.controllers).pending == ()


def test_a_copy_gives_no_address_away_twice() -> None:
    world = World()
    world.apply({"kind": "Service", "metadata": {"name": "one"}, "spec": {"ports": [{"port": 80}]}})
    copied = a_copy(world)
    body = {"metadata": {"name": "two"}, "spec": {"ports": [{"port": 80}]}}
    made = copied.create(SERVICES, body, "default", now=world.now).object
    assert made["spec"]["clusterIP"] != world.get(SERVICES, "one")["spec"]["clusterIP"]
