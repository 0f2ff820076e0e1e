"""Deletes: at once, with grace, with finalizers; what a namespace takes with it."""

from __future__ import annotations

import pytest

from serinus.errors import Conflict, Forbidden, Invalid, NotFound
from serinus.kubernetes_model import Propagation, kinds
from tests.unit.kubernetes_model.world import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACE,
    PODS,
    World,
    config_map,
    deployment,
    pod,
)


def with_config_map(*finalizers: str) -> World:
    world = World()
    body = config_map()
    body["metadata"]["finalizers"] = list(finalizers)
    world.create(CONFIG_MAPS, body)
    return world


def test_an_object_that_nothing_keeps_goes_at_once() -> None:
    world = with_config_map()
    before = world.cluster.resource_version
    gone = world.delete(CONFIG_MAPS, "settings")
    assert gone.deleted
    assert int(gone.object["metadata"]["resourceVersion"]) == before + 1
    with pytest.raises(NotFound, match='configmaps "settings" not found'):
        world.delete(CONFIG_MAPS, "settings")


def test_a_finalizer_keeps_it_until_it_is_taken_away() -> None:
    world = with_config_map("a.b/c")
    marked = world.delete(CONFIG_MAPS, "settings")
    assert not marked.deleted
    assert marked.object["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:02Z"
    assert marked.object["metadata"]["deletionGracePeriodSeconds"] == 0
    assert not world.delete(CONFIG_MAPS, "settings").changed
    with pytest.raises(Invalid, match="no new finalizers can be added"):
        world.patch(CONFIG_MAPS, "settings", {"metadata": {"finalizers": ["a.b/c", "a.b/d"]}})
    last = world.patch(CONFIG_MAPS, "settings", {"metadata": {"finalizers": None}})
    assert last.deleted
    assert not world.exists(CONFIG_MAPS, "settings")


@pytest.mark.parametrize(
    ("propagation", "finalizer"),
    [
        (Propagation.FOREGROUND, "foregroundDeletion"),
        (Propagation.ORPHAN, "orphan"),
    ],
)
def test_a_propagation_is_left_to_the_collector(propagation: Propagation, finalizer: str) -> None:
    world = World()
    world.create(DEPLOYMENTS, deployment())
    marked = world.delete(DEPLOYMENTS, "shop", propagation=propagation).object["metadata"]
    assert marked["finalizers"] == [finalizer]
    assert marked["generation"] == 2
    assert world.delete(DEPLOYMENTS, "shop", propagation=Propagation.BACKGROUND).deleted


def test_preconditions_are_kept() -> None:
    world = with_config_map()
    metadata = world.get(CONFIG_MAPS, "settings")["metadata"]
    with pytest.raises(Conflict, match="the UID in the precondition"):
        world.delete(CONFIG_MAPS, "settings", uid="other")
    with pytest.raises(Conflict, match="the ResourceVersion in the precondition"):
        world.delete(CONFIG_MAPS, "settings", resource_version="1")
    assert world.delete(
        CONFIG_MAPS,
        "settings",
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
    ).deleted


def test_a_dry_run_deletes_nothing() -> None:
    world = with_config_map()
    assert not world.delete(CONFIG_MAPS, "settings", dry_run=True).changed
    assert world.exists(CONFIG_MAPS, "settings")


def test_a_pod_that_runs_is_given_its_grace() -> None:
    world = World()
    world.create(PODS, pod(nodeName="left", terminationGracePeriodSeconds=20))
    marked = world.delete(PODS, "web").object["metadata"]
    assert marked["deletionTimestamp"] == "2027-01-15T08:00:22Z"
    assert marked["deletionGracePeriodSeconds"] == 20
    assert marked["generation"] == 2
    assert not world.delete(PODS, "web", grace_seconds=60).changed
    shorter = world.delete(PODS, "web", grace_seconds=5).object["metadata"]
    assert shorter["deletionTimestamp"] == "2027-01-15T08:00:07Z"
    gone = world.delete(PODS, "web", grace_seconds=0)
    assert gone.deleted
    assert not world.exists(PODS, "web")


def test_a_grace_that_is_over_is_not_set_back() -> None:
    world = World()
    world.create(PODS, pod(nodeName="left"))
    world.delete(PODS, "web")
    world.now += 100_000
    marked = world.delete(PODS, "web", grace_seconds=10).object["metadata"]
    assert marked["deletionGracePeriodSeconds"] == 1


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_is_done_or_runs_nowhere_goes_at_once(phase: str) -> None:
    world = World()
    world.create(PODS, pod("waiting"))
    assert world.delete(PODS, "waiting").deleted
    world.create(PODS, pod(nodeName="left"))
    world.patch(PODS, "web", {"status": {"phase": phase}}, subresource="status")
    assert world.delete(PODS, "web").deleted


def test_a_watcher_hears_of_the_mark_before_the_end() -> None:
    world = World()
    world.create(PODS, pod("waiting"))
    begin = world.cluster.resource_version
    world.delete(PODS, "waiting")
    told = [change.type.value for change in world.cluster.changes_since(PODS, begin)]
    assert told == ["MODIFIED", "DELETED"]


def test_a_collection_goes_by_selector() -> None:
    world = World()
    for name in ("a", "b"):
        body = config_map(name)
        body["metadata"]["labels"] = {"name": name}
        world.create(CONFIG_MAPS, body)
    gone = world.cluster.delete_collection(
        CONFIG_MAPS, NAMESPACE, now=world.now, label_selector="name=a"
    )
    assert [item["metadata"]["name"] for item in gone.items] == ["a"]
    assert world.exists(CONFIG_MAPS, "b")


def test_a_namespace_waits_for_its_controller() -> None:
    world = World()
    made = world.create(kinds.NAMESPACES, {"metadata": {"name": "team"}})
    assert made["spec"]["finalizers"] == ["kubernetes"]
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "team"}
    marked = world.delete(kinds.NAMESPACES, "team").object
    assert marked["status"]["phase"] == "Terminating"
    assert not world.delete(kinds.NAMESPACES, "team").changed
    body = {**marked, "spec": {"finalizers": []}}
    kept = world.replace(kinds.NAMESPACES, body)
    assert kept.object["spec"]["finalizers"] == ["kubernetes"]
    assert world.replace(kinds.NAMESPACES, body, subresource="finalize").deleted
    assert not world.exists(kinds.NAMESPACES, "team")


def test_the_first_namespaces_stay() -> None:
    with pytest.raises(Forbidden, match='namespaces "default" is forbidden: this namespace may'):
        World().delete(kinds.NAMESPACES, "default")
