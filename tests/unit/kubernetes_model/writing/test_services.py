"""Services: addresses and ports are given out, kept and given back."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.errors import Invalid
from serinus.kubernetes_model import PatchType
from tests.unit.kubernetes_model.world import SERVICES, World, service

NODE_PORT: dict[str, Any] = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 32600}]}


def test_a_service_gets_an_address_and_keeps_it() -> None:
    world = World()
    made = world.create(SERVICES, service())["spec"]
    assert made["clusterIP"].startswith("10.0.0.")
    assert made["clusterIPs"] == [made["clusterIP"]]
    assert made["ports"] == [{"port": 80, "targetPort": 80, "protocol": "TCP"}]
    written = world.replace(SERVICES, service(selector={"app": "other"})).object["spec"]
    assert written["clusterIP"] == made["clusterIP"]
    with pytest.raises(Invalid, match=r"spec.clusterIPs\[0\]: .*: may not change once set"):
        world.patch(SERVICES, "shop", {"spec": {"clusterIP": "10.0.0.77"}})


def test_no_two_services_share_an_address() -> None:
    world = World()
    found = [world.create(SERVICES, service(f"s{n}"))["spec"]["clusterIP"] for n in range(40)]
    assert len(set(found)) == 40
    with pytest.raises(Invalid, match="provided IP is already allocated"):
        world.create(SERVICES, service("thief", clusterIP=found[0]))


def test_an_address_is_free_again_after_a_delete() -> None:
    world = World()
    address = world.create(SERVICES, service())["spec"]["clusterIP"]
    world.delete(SERVICES, "shop")
    assert (
        world.create(SERVICES, service("next", clusterIP=address))["spec"]["clusterIP"] == address
    )


def test_a_node_port_that_is_asked_for_is_given_once() -> None:
    world = World()
    made = world.create(SERVICES, service(**NODE_PORT))["spec"]
    assert made["ports"][0]["nodePort"] == 32600
    assert made["externalTrafficPolicy"] == "Cluster"
    words = r"spec.ports\[0\].nodePort: Invalid value: 32600: provided port is already allocated"
    with pytest.raises(Invalid, match=words):
        world.create(SERVICES, service("other", **NODE_PORT))
    assert not world.exists(SERVICES, "other")
    world.delete(SERVICES, "shop")
    world.create(SERVICES, service("other", **NODE_PORT))


def test_a_node_port_stays_when_it_is_not_named() -> None:
    world = World()
    made = world.create(SERVICES, service(type="NodePort"))["spec"]["ports"]
    assert 30000 <= made[0]["nodePort"] <= 32767
    assert world.replace(SERVICES, service(type="NodePort")).object["spec"]["ports"] == made


def test_a_change_of_type_gives_the_node_port_back() -> None:
    world = World()
    world.create(SERVICES, service(**NODE_PORT))
    found = world.patch(SERVICES, "shop", {"spec": {"type": "ClusterIP"}}).object["spec"]
    assert "nodePort" not in found["ports"][0]
    assert "externalTrafficPolicy" not in found
    world.create(SERVICES, service("other", **NODE_PORT))


def test_a_service_that_becomes_a_name_gives_its_address_back() -> None:
    world = World()
    world.create(SERVICES, service())
    change = {"spec": {"type": "ExternalName", "externalName": "a.example"}}
    assert "clusterIP" not in world.patch(SERVICES, "shop", change).object["spec"]


def test_a_headless_service_has_no_address() -> None:
    made = World().create(SERVICES, service(clusterIP="None"))["spec"]
    assert made["clusterIPs"] == ["None"]


def test_a_restored_cluster_knows_what_is_taken() -> None:
    world, other = World(), World()
    world.create(SERVICES, service(**NODE_PORT))
    other.cluster.restore(*world.cluster.snapshot())
    with pytest.raises(Invalid, match="provided port is already allocated"):
        other.create(SERVICES, service("other", **NODE_PORT))


def test_ports_merge_by_number_in_a_strategic_patch() -> None:
    world = World()
    ports = [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]
    world.create(SERVICES, service(ports=ports))
    change = {"spec": {"ports": [{"port": 81, "targetPort": 8081}]}}
    found = world.patch(SERVICES, "shop", change, PatchType.STRATEGIC).object["spec"]["ports"]
    assert [(p["name"], p["targetPort"]) for p in found] == [("a", 80), ("b", 8081)]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"ports": []}, "spec.ports: Required value"),
        ({"type": "Foo"}, 'spec.type: Unsupported value: "Foo"'),
        ({"ports": [{"port": 0}]}, "must be between 1 and 65535, inclusive"),
        ({"ports": [{"port": 1}, {"port": 2}]}, r"spec.ports\[0\].name: Required value"),
        ({"ports": [{"port": 1, "protocol": "X"}]}, 'supported values: "SCTP", "TCP", "UDP"'),
        ({"ports": [{"port": 1, "nodePort": 30001}]}, "may not be used when `type` is"),
        ({"type": "NodePort", "ports": [{"port": 1, "nodePort": 5}]}, "not in the valid range"),
        ({"clusterIP": "1.2.3.4"}, "does not match the current range"),
        ({"clusterIP": "x"}, "must be a valid IP address"),
        ({"selector": {"a": "b c"}}, "spec.selector: Invalid value"),
        ({"sessionAffinity": "X"}, "spec.sessionAffinity: Unsupported value"),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        ({"type": "NodePort", "clusterIP": "None"}, "may not be set to 'None' for NodePort"),
        (
            {"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "a"}]},
            r"spec.ports\[1\].name: Duplicate value",
        ),
    ],
)
def test_a_service_that_is_wrong_is_refused(spec: Any, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        World().create(SERVICES, service(**spec))


def test_client_affinity_gets_its_timeout_and_loses_it() -> None:
    world = World()
    made = world.create(SERVICES, service(sessionAffinity="ClientIP"))["spec"]
    assert made["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    found = world.patch(SERVICES, "shop", {"spec": {"sessionAffinity": "None"}}).object["spec"]
    assert "sessionAffinityConfig" not in found
