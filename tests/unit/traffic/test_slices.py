"""EndpointSlices become the places that a router sends to, as kube-proxy reads them."""

from __future__ import annotations

from typing import Any

from serinus.assignment.intervals import Version
from serinus.traffic.envoy.in_cluster.slices import endpoints_of
from serinus.traffic.envoy.plan import Endpoint, Endpoints
from serinus.traffic.envoy.report import digest

STABLE, CANARY = ("http", Version.STABLE), ("http", Version.CANARY)
SERVICES = {Version.STABLE: "shop-stable", Version.CANARY: "shop-canary"}


def a_slice(
    *endpoints: tuple[str, dict[str, bool]],
    name: str | None = "http",
    port: int = 80,
    service: str = "shop-stable",
    family: str = "IPv4",
) -> dict[str, Any]:
    return {
        "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": service}},
        "addressType": family,
        "endpoints": [{"addresses": [a], "conditions": c} for a, c in endpoints] or None,
        "ports": [{"name": name, "port": port}],
    }


def found(*slices: dict[str, Any]) -> Endpoints:
    return endpoints_of(slices, SERVICES, ["http"])


def places(*slices: dict[str, Any]) -> list[str]:
    stable = found(*slices)[STABLE]
    assert stable == tuple(Endpoint(each.host, 80) for each in stable)
    return [each.host for each in stable]


def test_ready_and_unknown_endpoints_serve() -> None:
    assert places(a_slice(("10.0.0.2", {}), ("10.0.0.1", {"ready": True}))) == [
        "10.0.0.1",
        "10.0.0.2",
    ]


def test_endpoints_that_are_not_ready_serve_only_while_they_end_and_nobody_else_does() -> None:
    ending = ("10.0.0.1", {"ready": False, "serving": True, "terminating": True})
    broken = ("10.0.0.2", {"ready": False, "serving": False})
    assert places(a_slice(ending, broken)) == ["10.0.0.1"]
    assert places(a_slice(ending, broken, ("10.0.0.3", {"ready": True}))) == ["10.0.0.3"]


def test_another_service_and_another_port_are_none_of_it() -> None:
    assert places(a_slice(("10.0.0.1", {}), service="other")) == []
    assert places(a_slice(("10.0.0.1", {}), name="metrics")) == []


def test_the_only_port_of_a_service_needs_no_name() -> None:
    assert places(a_slice(("10.0.0.1", {}), name=None)) == ["10.0.0.1"]


def test_a_pod_of_both_families_counts_once() -> None:
    both = [a_slice(("10.0.0.1", {})), a_slice(("2001:db8::1", {}), family="IPv6")]
    assert places(*both) == ["10.0.0.1"]
    assert places(both[1]) == ["2001:db8::1"]


def test_a_slice_may_hold_nothing() -> None:
    assert places(a_slice()) == []


def test_each_slice_says_where_its_own_pods_listen() -> None:
    both = found(a_slice(("10.0.0.2", {}), port=8080), a_slice(("10.0.0.1", {}), port=9090))
    assert both[STABLE] == (Endpoint("10.0.0.1", 9090), Endpoint("10.0.0.2", 8080))


def test_each_version_has_the_places_of_its_own_service() -> None:
    both = found(a_slice(("10.0.0.1", {})), a_slice(("10.0.0.2", {}), service="shop-canary"))
    assert both == {STABLE: (Endpoint("10.0.0.1", 80),), CANARY: (Endpoint("10.0.0.2", 80),)}


def test_other_pods_in_the_same_number_are_other_endpoints() -> None:
    one = found(a_slice(("10.0.0.1", {})))
    other = found(a_slice(("10.0.0.2", {})))
    moved = found(a_slice(("10.0.0.1", {}), service="shop-canary"))
    assert len({digest(one), digest(other), digest(moved)}) == 3
