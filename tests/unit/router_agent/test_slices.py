"""EndpointSlices become places to send to, as kube-proxy reads them."""

from __future__ import annotations

import msgspec

from serinus.assignment.intervals import Version
from serinus.kube.objects import EndpointSlice
from serinus.router_agent.slices import endpoints_of
from serinus.traffic.envoy.plan import Endpoint, Port

SERVICES = {Version.STABLE: "shop-stable"}
PORTS = [Port("http", 8080)]


def a_slice(
    *endpoints: tuple[str, dict[str, bool]],
    port: str | None = "http",
    service: str = "shop-stable",
    family: str = "IPv4",
) -> EndpointSlice:
    return msgspec.convert(
        {
            "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": service}},
            "addressType": family,
            "endpoints": [{"addresses": [a], "conditions": c} for a, c in endpoints] or None,
            "ports": [{"name": port, "port": 80}],
        },
        EndpointSlice,
    )


def places(*slices: EndpointSlice) -> list[str]:
    found = endpoints_of(slices, SERVICES, PORTS)[("http", Version.STABLE)]
    assert found == tuple(Endpoint(each.host, 80) for each in found)
    return [each.host for each in found]


def test_ready_and_unknown_endpoints_serve() -> None:
    found = places(a_slice(("10.0.0.2", {}), ("10.0.0.1", {"ready": True})))
    assert found == ["10.0.0.1", "10.0.0.2"]


def test_endpoints_that_are_not_ready_serve_only_while_they_end_and_nobody_else_does() -> None:
    ending = ("10.0.0.1", {"ready": False, "serving": True, "terminating": True})
    broken = ("10.0.0.2", {"ready": False, "serving": False})
    assert places(a_slice(ending, broken)) == ["10.0.0.1"]
    assert places(a_slice(ending, broken, ("10.0.0.3", {"ready": True}))) == ["10.0.0.3"]


def test_another_service_and_another_port_are_none_of_it() -> None:
    assert places(a_slice(("10.0.0.1", {}), service="other")) == []
    assert places(a_slice(("10.0.0.1", {}), port="metrics")) == []


def test_the_only_port_of_a_service_needs_no_name() -> None:
    assert places(a_slice(("10.0.0.1", {}), port=None)) == ["10.0.0.1"]


def test_a_pod_of_both_families_counts_once() -> None:
    both = [a_slice(("10.0.0.1", {})), a_slice(("2001:db8::1", {}), family="IPv6")]
    assert places(*both) == ["10.0.0.1"]
    assert places(both[1]) == ["2001:db8::1"]


def test_a_slice_may_hold_nothing() -> None:
    assert places(a_slice()) == []
