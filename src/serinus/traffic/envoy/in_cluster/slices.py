"""EndpointSlices as the endpoints of a router: read the same way by agents and by whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from serinus.assignment.intervals import Version
from serinus.traffic.envoy.plan import Endpoint, Endpoints
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import endpoint_is_ready

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
_FAMILIES = ("IPv4", "IPv6")


def endpoints_of(slices: Iterable[Manifest], services: Mapping[Version, str]) -> Endpoints:
    """Return the ready places of each version by the name of the port.

    Where none is ready, those that still serve while they end count, as kube-proxy has it. A slice
    speaks of the pods that listen where it says, so each brings its own port numbers.
    """
    versions = {name: version for version, name in services.items()}
    own = [(versions[service_of(s)], s) for s in slices if service_of(s) in versions]
    found: dict[tuple[str, Version], tuple[Endpoint, ...]] = {}
    for is_good in (endpoint_is_ready, _still_serves):
        for family in _FAMILIES:
            # A pod of a dual-stack Service stands in slices of both families.
            places: dict[tuple[str, Version], set[Endpoint]] = {}
            for version, each in own:
                if each.get("addressType", "IPv4") == family:
                    for port in each.get("ports") or ():
                        key = (port.get("name") or "", version)
                        places.setdefault(key, set()).update(_places(each, port["port"], is_good))
            for key, listed in places.items():
                if listed and key not in found:
                    found[key] = tuple(sorted(listed))
    return found


def _places(found: Manifest, port: int, is_good: Callable[[Manifest], bool]) -> Iterator[Endpoint]:
    for endpoint in found.get("endpoints") or ():
        # All addresses of an endpoint are one pod's; kube-proxy uses the first, too (discovery/v1).
        addresses = endpoint.get("addresses") or ()
        if addresses and is_good(endpoint):
            yield Endpoint(addresses[0], port)


def _still_serves(endpoint: Manifest) -> bool:
    conditions = endpoint.get("conditions") or {}
    return bool(conditions.get("serving") and conditions.get("terminating"))


def service_of(found: Manifest) -> str:
    """Return the Service that a slice belongs to."""
    return str((found["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL, ""))
