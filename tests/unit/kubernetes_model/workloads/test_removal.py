from __future__ import annotations

from typing import Any

import pytest

from serinus import errors
from serinus.kubernetes_model.kinds import (
    CLUSTER_ROLES,
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
)
from serinus.kubernetes_model.requests import Object, Propagation
from tests.unit.kubernetes_model.workloads.world import World, a_deployment, condition


def a_config_map(name: str, *owners: Object, block: bool = True, **metadata: Any) -> Object:
    references = [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": block,
        }
        for owner in owners
    ]
    body: dict[str, Any] = {"name": name, **metadata}
    if references:
        body["ownerReferences"] = references
    return {"kind": "ConfigMap", "metadata": body}


def exists(world: World, name: str) -> bool:
    try:
        world.get(CONFIG_MAPS, name)
    except errors.NotFound:
        return False
    return True


def test_a_deleted_deployment_takes_its_replica_sets_and_pods_along() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    world.delete(DEPLOYMENTS, "shop")
    world.settle()
    assert world.replica_sets() == []
    assert world.pods() == []


def test_an_orphaning_delete_leaves_dependents_without_owner() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    world.delete(DEPLOYMENTS, "shop", Propagation.ORPHAN)
    world.settle()
    assert world.all(DEPLOYMENTS) == []
    (left,) = world.replica_sets()
    assert "ownerReferences" not in left["metadata"]
    assert len(world.pods()) == 3


def test_a_foreground_delete_waits_for_pods_before_the_owner_goes() -> None:
    world = World()
    world.apply(a_deployment(replicas=1))
    world.settle()
    world.delete(DEPLOYMENTS, "shop", Propagation.FOREGROUND)
    world.run()
    (pod,) = world.pods()
    assert pod["metadata"]["deletionTimestamp"]
    assert world.deployment()["metadata"]["deletionTimestamp"]
    assert world.replica_sets()[0]["metadata"]["finalizers"] == ["foregroundDeletion"]
    world.stop(pod)
    world.run()
    assert world.replica_sets() == []
    assert world.all(DEPLOYMENTS) == []


def test_a_dependent_that_does_not_block_does_not_hold_its_owner() -> None:
    world = World()
    owner = world.apply(a_config_map("owner"))
    world.apply(a_config_map("held", owner, block=False, finalizers=["example.com/hold"]))
    world.delete(CONFIG_MAPS, "owner", Propagation.FOREGROUND)
    world.run()
    assert not exists(world, "owner")
    assert world.get(CONFIG_MAPS, "held")["metadata"]["deletionTimestamp"]


def test_a_dependent_made_while_its_owner_waits_goes_when_the_owner_is_looked_at_again() -> None:
    world = World()
    owner = world.apply(a_config_map("owner"))
    world.apply(a_config_map("held", owner, finalizers=["example.com/hold"]))
    world.delete(CONFIG_MAPS, "owner", Propagation.FOREGROUND)
    world.run()
    world.apply(a_config_map("late", owner))
    world.run()
    assert exists(world, "late")
    held = world.get(CONFIG_MAPS, "held")
    freed = {**held, "metadata": {**held["metadata"], "finalizers": []}}
    world.replace(CONFIG_MAPS, freed)
    world.run()
    assert not any(exists(world, name) for name in ("owner", "held", "late"))


def test_an_object_stays_while_one_of_its_owners_lives_and_forgets_the_other() -> None:
    world = World()
    first, second = world.apply(a_config_map("first")), world.apply(a_config_map("second"))
    world.apply(a_config_map("child", first, second))
    world.delete(CONFIG_MAPS, "first")
    world.run()
    owners = world.get(CONFIG_MAPS, "child")["metadata"]["ownerReferences"]
    assert [owner["name"] for owner in owners] == ["second"]
    world.delete(CONFIG_MAPS, "second")
    world.run()
    assert not exists(world, "child")


def test_an_object_made_for_an_owner_that_never_was_is_deleted() -> None:
    world = World()
    ghost = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "ghost", "uid": "no-such-uid"},
    }
    world.apply(a_config_map("child", ghost))
    world.run()
    assert not exists(world, "child")


def test_an_owner_of_the_same_name_but_another_uid_is_another_owner() -> None:
    world = World()
    owner = world.apply(a_config_map("owner"))
    world.apply(a_config_map("child", owner))
    world.run()
    world.delete(CONFIG_MAPS, "owner")
    world.apply(a_config_map("owner"))
    world.run()
    assert exists(world, "owner")
    assert not exists(world, "child")


def test_an_owner_of_a_kind_that_is_not_served_leaves_the_object_and_is_tried_again() -> None:
    world = World()
    ghost = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "ghost", "uid": "no-such-uid"},
    }
    world.apply(a_config_map("child", ghost))
    world.run()
    assert exists(world, "child")
    assert world.wake_at is not None
    assert world.controllers.last_error is not None
    assert 'no kind "Widget"' in str(world.controllers.last_error[1])


def test_a_namespace_is_emptied_pods_first_and_then_let_go() -> None:
    world = World()
    world.apply(
        {"kind": "Namespace", "metadata": {"name": "team"}, "spec": {"finalizers": ["kubernetes"]}}
    )
    deployment = a_deployment(replicas=1)
    deployment["metadata"]["namespace"] = "team"
    world.apply(deployment)
    kept = a_config_map("kept")
    kept["metadata"]["namespace"] = "team"
    world.apply(kept)
    world.settle()
    world.delete(NAMESPACES, "team")
    world.run()
    assert world.get(NAMESPACES, "team")["status"]["phase"] == "Terminating"
    assert world.get(CONFIG_MAPS, "kept", "team")
    assert world.wake_at is not None
    world.settle()
    with pytest.raises(errors.NotFound):
        world.get(NAMESPACES, "team")
    assert [obj for obj in world.everything() if obj["metadata"].get("namespace") == "team"] == []


def test_a_namespace_says_what_holds_it() -> None:
    world = World()
    world.apply(
        {"kind": "Namespace", "metadata": {"name": "team"}, "spec": {"finalizers": ["kubernetes"]}}
    )
    held = a_config_map("held", finalizers=["example.com/hold"])
    held["metadata"]["namespace"] = "team"
    world.apply(held)
    world.delete(NAMESPACES, "team")
    world.run()
    team = world.get(NAMESPACES, "team")
    assert (
        condition(team, "NamespaceContentRemaining")["message"]
        == "Some resources are remaining: configmaps. has 1 resource instances"
    )
    assert condition(team, "NamespaceFinalizersRemaining")["status"] == "True"
    assert world.wake_at == world.now + 8_000


def test_pods_of_a_vanished_node_are_failed_and_replaced_after_a_quarantine() -> None:
    world = World()
    world.apply(a_deployment(replicas=1))
    world.settle()
    (lost,) = world.pods()
    world.delete(NODES, "local")
    world.run()
    world.pass_time(39_000)
    assert world.get(PODS, lost["metadata"]["name"])
    world.pass_time(1_000)
    with pytest.raises(errors.NotFound):
        world.get(PODS, lost["metadata"]["name"])
    assert len(world.pods()) == 1


def test_a_node_that_comes_back_keeps_its_pods() -> None:
    world = World()
    world.apply(a_deployment(replicas=1))
    world.settle()
    (pod,) = world.pods()
    world.delete(NODES, "local")
    world.run()
    world.apply({"kind": "Node", "metadata": {"name": "local"}, "spec": {}})
    world.pass_time(60_000)
    assert [item["metadata"]["uid"] for item in world.pods()] == [pod["metadata"]["uid"]]


def test_replica_sets_of_a_held_canary_go_with_the_stable_deployment() -> None:
    world = World()
    stable = world.apply(a_deployment())
    canary = a_deployment("canary", image="shop:2")
    canary["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "shop",
            "uid": stable["metadata"]["uid"],
            "controller": False,
            "blockOwnerDeletion": False,
        }
    ]
    world.apply(canary)
    world.settle()
    world.delete(DEPLOYMENTS, "shop")
    world.settle()
    assert world.all(DEPLOYMENTS) == []
    assert world.all(REPLICA_SETS) == []
    assert world.pods() == []


def test_a_cluster_scoped_object_is_never_collected_for_a_namespaced_owner() -> None:
    world = World()
    owner = world.apply(a_config_map("owner"))
    role = a_config_map("role", owner)
    world.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": role["metadata"],
            "rules": [],
        }
    )
    world.delete(CONFIG_MAPS, "owner")
    world.run()
    assert world.get(CLUSTER_ROLES, "role")["metadata"].get("deletionTimestamp") is None


def test_a_dependent_that_asks_for_it_leaves_its_own_dependents_as_orphans() -> None:
    world = World()
    owner = world.apply(a_config_map("owner"))
    child = world.apply(a_config_map("child", owner, finalizers=["orphan"]))
    world.apply(a_config_map("grandchild", child))
    world.delete(CONFIG_MAPS, "owner")
    world.run()
    assert not exists(world, "child")
    assert "ownerReferences" not in world.get(CONFIG_MAPS, "grandchild")["metadata"]


def test_a_dependent_with_the_foreground_finalizer_waits_for_its_own_dependents() -> None:
    world = World()
    owner = world.apply(a_config_map("owner"))
    child = world.apply(a_config_map("child", owner, finalizers=["foregroundDeletion"]))
    world.apply(a_config_map("grandchild", child, finalizers=["example.com/hold"]))
    world.delete(CONFIG_MAPS, "owner")
    world.run()
    assert world.get(CONFIG_MAPS, "child")["metadata"]["deletionTimestamp"]
    assert world.get(CONFIG_MAPS, "grandchild")["metadata"]["deletionTimestamp"]


def test_two_that_own_each_other_go_together() -> None:
    world = World()
    first = world.apply(a_config_map("first"))
    second = world.apply(a_config_map("second", first))
    circle = a_config_map("first", second)["metadata"]["ownerReferences"]
    world.edit(CONFIG_MAPS, first, ownerReferences=circle)
    world.delete(CONFIG_MAPS, "first", Propagation.FOREGROUND)
    world.run()
    assert not exists(world, "first")
    assert not exists(world, "second")
