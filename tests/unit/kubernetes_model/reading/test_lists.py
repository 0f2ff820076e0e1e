"""Lists: order, selectors, pages of one version, changes."""

from __future__ import annotations

import pytest

from serinus.errors import Gone, Invalid, NotFound
from serinus.kubernetes_model import Cluster, kinds
from tests.unit.kubernetes_model.world import CONFIG_MAPS, PODS, World, config_map, pod


def names(world: World, **options: object) -> list[str]:
    found = world.cluster.list(CONFIG_MAPS, "default", **options)  # type: ignore[arg-type]
    return [item["metadata"]["name"] for item in found.items]


def three() -> World:
    world = World()
    for name in ("c", "a", "b"):
        body = config_map(name)
        body["metadata"]["labels"] = {"name": name}
        world.create(CONFIG_MAPS, body)
    return world


def test_objects_come_in_the_order_of_their_names() -> None:
    assert names(three()) == ["a", "b", "c"]


def test_selectors_choose() -> None:
    world = three()
    assert names(world, label_selector="name in (a,c)") == ["a", "c"]
    assert names(world, field_selector="metadata.name!=a") == ["b", "c"]


def test_pods_are_found_by_node_and_phase() -> None:
    world = World()
    world.create(PODS, pod("one", nodeName="left"))
    world.create(PODS, pod("two"))
    selector = "spec.nodeName=left,status.phase=Pending"
    found = world.cluster.list(PODS, "default", field_selector=selector)
    assert [item["metadata"]["name"] for item in found.items] == ["one"]


def test_pages_show_the_version_of_the_first() -> None:
    world = three()
    first = world.cluster.list(CONFIG_MAPS, "default", limit=2)
    assert [item["metadata"]["name"] for item in first.items] == ["a", "b"]
    assert first.remaining_item_count == 1
    world.create(CONFIG_MAPS, config_map("bb"))
    world.delete(CONFIG_MAPS, "c")
    rest = world.cluster.list(CONFIG_MAPS, "default", limit=2, continue_token=first.continue_token)
    assert [item["metadata"]["name"] for item in rest.items] == ["c"]
    assert rest.resource_version == first.resource_version
    assert rest.continue_token is None


def test_a_token_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid, match="continue key is not valid"):
        World().cluster.list(CONFIG_MAPS, continue_token="nonsense")


def test_changes_older_than_the_log_are_gone() -> None:
    world = three()
    objects, version = world.cluster.snapshot()
    world.cluster.restore(objects, version)
    assert list(world.cluster.changes_since(CONFIG_MAPS, version)) == []
    with pytest.raises(Gone, match=r"too old resource version: 1 \(\d+\)"):
        world.cluster.changes_since(CONFIG_MAPS, 1)


def test_changes_are_those_of_one_resource_or_of_all() -> None:
    world = World()
    begin = world.cluster.resource_version
    world.create(CONFIG_MAPS, config_map("a"))
    world.create(PODS, pod())
    world.delete(CONFIG_MAPS, "a")
    kinds_of = [change.type.value for change in world.cluster.changes_since(CONFIG_MAPS, begin)]
    assert kinds_of == ["ADDED", "DELETED"]
    assert len(world.cluster.changes_since(None, begin)) == 3


def test_a_kind_that_is_not_in_the_table_is_not_served() -> None:
    cluster = Cluster(new_id=lambda: "x", kinds=(kinds.PODS,))
    with pytest.raises(NotFound, match="the server could not find the requested resource"):
        cluster.create(CONFIG_MAPS, config_map(), "default", now=0)
    assert cluster.resource("v1", "Pod") == kinds.PODS
    assert cluster.resource("v1", "ConfigMap") is None


def test_events_are_one_shelf_with_two_faces() -> None:
    world = World()
    regarding = {"kind": "Pod", "name": "web", "namespace": "default"}
    body = {"metadata": {"name": "e"}, "involvedObject": regarding, "message": "hello"}
    world.create(kinds.EVENTS, {**body, "reason": "Started", "type": "Normal"})
    newer = world.get(kinds.EVENTS_V1, "e")
    assert newer["apiVersion"] == "events.k8s.io/v1"
    assert newer["note"] == "hello"
    assert newer["regarding"] == regarding
    selector = "involvedObject.name=web,reason=Started"
    found = world.cluster.list(kinds.EVENTS, "default", field_selector=selector)
    assert len(found.items) == 1
    assert world.cluster.list(kinds.EVENTS_V1, "default").items == [newer]


def test_an_event_of_the_newer_group_is_kept_in_the_older_form() -> None:
    world = World()
    regarding = {"kind": "Pod", "name": "web", "namespace": "default"}
    body = {"metadata": {"name": "e"}, "regarding": regarding, "note": "hello"}
    world.create(kinds.EVENTS_V1, {**body, "reportingController": "c", "action": "a"})
    older = world.get(kinds.EVENTS, "e")
    assert older["message"] == "hello"
    assert older["involvedObject"] == regarding
    assert older["reportingComponent"] == "c"
    written = world.patch(kinds.EVENTS_V1, "e", {"note": "again"})
    assert written.object["note"] == "again"
    assert world.get(kinds.EVENTS, "e")["message"] == "again"
