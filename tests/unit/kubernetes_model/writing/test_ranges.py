"""What a Service has may lie outside of the ranges of this cluster: it was copied from another."""

from __future__ import annotations

import pytest

from serinus.errors import Invalid
from tests.unit.kubernetes_model.world import SERVICES, World, service


def copied(address: str, node_port: int) -> World:
    world = World()
    made = world.create(SERVICES, service(type="NodePort"))
    spec = {**made["spec"], "clusterIP": address, "clusterIPs": [address]}
    spec["ports"] = [{**spec["ports"][0], "nodePort": node_port}]
    stored, version = world.cluster.snapshot()
    others = [item for item in stored if item["kind"] != "Service"]
    body = {**made, "apiVersion": "v1", "kind": "Service", "spec": spec}
    world.cluster.restore([*others, body], version)
    return world


def test_an_update_keeps_an_address_and_a_port_of_other_ranges() -> None:
    world = copied("127.96.9.167", 40_000)
    changed = world.patch(SERVICES, "shop", {"spec": {"selector": {"app": "other"}}}).object["spec"]
    assert changed["selector"]["app"] == "other"
    assert changed["clusterIP"] == "127.96.9.167"
    assert changed["ports"][0]["nodePort"] == 40_000


def test_a_port_of_another_range_cannot_be_asked_for() -> None:
    world = copied("127.96.9.167", 40_000)
    port = [{"port": 80, "nodePort": 40_001}]
    with pytest.raises(Invalid, match="provided port is not in the valid range"):
        world.patch(SERVICES, "shop", {"spec": {"ports": port}})
