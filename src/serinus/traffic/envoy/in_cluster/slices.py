"""EndpointSlices as the endpoints of a router: read the same way by agents and by whoever asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from serinus.assignment.intervals import Version
from serinus.traffic.envoy.plan import Endpoint, Endpoints
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import endpoint_is_ready

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


def endpoints_of(slices: Iterable[Manifest], services: Mapping[Version, str]) -> Endpoints:
    """Return the ready endpoints of each version by the name of the port.

    A slice speaks of the pods that listen where it says, so each brings its own port numbers.
    """
    versions = {name: version for version, name in services.items()}
    found: dict[tuple[str, Version], set[Endpoint]] = {}
    for each in slices:
        version = versions.get(service_of(each))
        if version is None:
            continue
        hosts = [
            host for e in each.get("endpoints") or () if endpoint_is_ready(e) for host in _hosts(e)
        ]
        for port in each.get("ports") or ():
            places = {Endpoint(host, port["port"]) for host in hosts}
            found.setdefault((port.get("name", ""), version), set()).update(places)
    return {key: tuple(sorted(places)) for key, places in found.items() if places}


def service_of(found: Manifest) -> str:
    """Return the Service that a slice belongs to."""
    return str((found["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL, ""))


def _hosts(endpoint: Manifest) -> list[str]:
    # All addresses of an endpoint are one pod's; kube-proxy uses the first, too (discovery/v1).
    return list(endpoint.get("addresses") or ())[:1]
