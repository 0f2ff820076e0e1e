"""EndpointSlices as the endpoints of a router."""

from __future__ import annotations

from typing import Any

from serinus.assignment.intervals import Version
from serinus.traffic.envoy.in_cluster.slices import endpoints_of
from serinus.traffic.envoy.plan import Endpoint
from serinus.traffic.envoy.report import digest

SERVICES = {Version.STABLE: "shop-stable", Version.CANARY: "shop-canary"}


def a_slice(service: str, port: int, *hosts: str, **conditions: bool) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": service}},
        "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": [host], "conditions": conditions} for host in hosts],
    }


def test_each_slice_says_where_its_own_pods_listen() -> None:
    found = endpoints_of(
        [a_slice("shop-stable", 8080, "10.0.0.2"), a_slice("shop-stable", 9090, "10.0.0.1")],
        SERVICES,
    )
    assert found == {
        ("http", Version.STABLE): (Endpoint("10.0.0.1", 9090), Endpoint("10.0.0.2", 8080))
    }


def test_what_is_not_ready_or_of_another_service_is_left_out() -> None:
    slices = [
        a_slice("shop-canary", 8080, "10.0.0.1", ready=False),
        a_slice("shop", 8080, "10.0.0.2", ready=True),
        a_slice("shop-stable", 8080, "10.0.0.3", ready=True, serving=True),
    ]
    assert endpoints_of(slices, SERVICES) == {
        ("http", Version.STABLE): (Endpoint("10.0.0.3", 8080),)
    }


def test_other_pods_in_the_same_number_are_other_endpoints() -> None:
    one = endpoints_of([a_slice("shop-stable", 8080, "10.0.0.1")], SERVICES)
    other = endpoints_of([a_slice("shop-stable", 8080, "10.0.0.2")], SERVICES)
    moved = endpoints_of([a_slice("shop-canary", 8080, "10.0.0.1")], SERVICES)
    assert len({digest(one), digest(other), digest(moved)}) == 3


def test_where_none_is_ready_those_that_still_serve_while_they_end_count() -> None:
    ending = {"ready": False, "serving": True, "terminating": True}
    alone = [a_slice("shop-canary", 8080, "10.0.0.1", **ending)]
    assert endpoints_of(alone, SERVICES) == {
        ("http", Version.CANARY): (Endpoint("10.0.0.1", 8080),)
    }
    beside = [*alone, a_slice("shop-canary", 8080, "10.0.0.2", ready=True)]
    assert endpoints_of(beside, SERVICES) == {
        ("http", Version.CANARY): (Endpoint("10.0.0.2", 8080),)
    }


def test_a_pod_in_slices_of_both_families_is_one_place() -> None:
    slices = [a_slice("shop-stable", 8080, "10.0.0.1"), a_slice("shop-stable", 8080, "fd00::1")]
    slices[1]["addressType"] = "IPv6"
    assert endpoints_of(slices, SERVICES) == {
        ("http", Version.STABLE): (Endpoint("10.0.0.1", 8080),)
    }
