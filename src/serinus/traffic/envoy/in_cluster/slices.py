"""EndpointSlices as the places that a router may send to.

Read the same way by agents and by whoever asks whether an agent knows all pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from serinus.assignment.intervals import Version
from serinus.traffic.envoy.plan import Endpoint, Endpoints
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import endpoint_is_ready

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
_FAMILIES = ("IPv4", "IPv6")


def endpoints_of(
    slices: Iterable[Manifest], services: Mapping[Version, str], ports: Iterable[str]
) -> Endpoints:
    """Return the ready places behind each version's Service, by the name of the port.

    A slice speaks of the pods that listen where it says, so each brings its own port numbers.
    Where none is ready, those that still serve while they end count, as kube-proxy has it.
    """
    listed, names = list(slices), list(ports)
    return {
        (name, version): _places(listed, service, name)
        for version, service in services.items()
        for name in names
    }


def _places(slices: Sequence[Manifest], service: str, port: str) -> tuple[Endpoint, ...]:
    own = [each for each in slices if _service_of(each) == service]
    for is_good in (endpoint_is_ready, _still_serves):
        for family in _FAMILIES:
            # A pod of a dual-stack Service stands in slices of both families.
            found = {
                # All addresses of an endpoint are one pod's; kube-proxy uses the first, too.
                Endpoint(endpoint["addresses"][0], number)
                for each in own
                if each.get("addressType") == family
                for number in _numbers(each, port)
                for endpoint in each.get("endpoints") or ()
                if endpoint.get("addresses") and is_good(endpoint)
            }
            if found:
                return tuple(sorted(found))
    return ()


def _service_of(found: Manifest) -> str:
    return str((found["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL, ""))


def _numbers(each: Manifest, port: str) -> list[int]:
    """Return the port's number; one that has no name is the only one of its Service."""
    return [
        p["port"]
        for p in each.get("ports") or ()
        if p.get("port") is not None and (p.get("name") or port) == port
    ]


def _still_serves(endpoint: Manifest) -> bool:
    conditions = endpoint.get("conditions") or {}
    return bool(conditions.get("serving") and conditions.get("terminating"))
