"""EndpointSlices as the places that a router may send to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from serinus.assignment.intervals import Version
from serinus.kube.objects import SERVICE_NAME_LABEL, EndpointConditions, EndpointSlice
from serinus.traffic.envoy.plan import Endpoint, Endpoints, Port

_FAMILIES = ("IPv4", "IPv6")


def endpoints_of(
    slices: Iterable[EndpointSlice], services: Mapping[Version, str], ports: Sequence[Port]
) -> Endpoints:
    """Return the ready places behind each version's Service, by the name of the port.

    Where none is ready, those that still serve while they end count, as kube-proxy has it.
    """
    listed = list(slices)
    return {
        (port.name, version): _places(listed, service, port.name)
        for version, service in services.items()
        for port in ports
    }


def _places(slices: Sequence[EndpointSlice], service: str, port: str) -> tuple[Endpoint, ...]:
    own = [s for s in slices if (s.metadata.labels or {}).get(SERVICE_NAME_LABEL) == service]
    for is_good in (_is_ready, _still_serves):
        for family in _FAMILIES:
            # A pod of a dual-stack Service stands in slices of both families.
            found = {
                Endpoint(endpoint.addresses[0], number)
                for each in own
                if each.address_type == family
                for number in _numbers(each, port)
                for endpoint in each.endpoints or ()
                if endpoint.addresses and is_good(endpoint.conditions)
            }
            if found:
                return tuple(sorted(found))
    return ()


def _numbers(each: EndpointSlice, port: str) -> list[int]:
    """Return the port's number; one that has no name is the only one of its Service."""
    return [p.port for p in each.ports or () if p.port is not None and (p.name or port) == port]


def _is_ready(conditions: EndpointConditions) -> bool:
    # A missing condition counts as true: EndpointConditions, discovery/v1.
    return conditions.ready is not False


def _still_serves(conditions: EndpointConditions) -> bool:
    return bool(conditions.serving and conditions.terminating)
