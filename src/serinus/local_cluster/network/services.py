"""What the proxy reads of Services and EndpointSlices, and which endpoints it may use."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from serinus.kube import objects

_AFFINITY_TIMEOUT_S = 10_800

Address = tuple[str, int]


class ClientIPConfig(msgspec.Struct, frozen=True, rename="camel"):
    """For how long a client stays with its endpoint after its last new connection."""

    timeout_seconds: int = _AFFINITY_TIMEOUT_S


class SessionAffinityConfig(msgspec.Struct, frozen=True):
    """How session affinity is done."""

    client_ip: ClientIPConfig | None = msgspec.field(default=None, name="clientIP")


class ServiceSpec(objects.ServiceSpec, frozen=True, rename="camel"):
    """What a Service is to be, with its session affinity's details."""

    session_affinity_config: SessionAffinityConfig | None = None

    @property
    def affinity_ms(self) -> int | None:
        """For how long a client stays with its endpoint, or None: each connection is drawn."""
        if self.session_affinity != "ClientIP":
            return None
        config = self.session_affinity_config
        client_ip = config.client_ip if config else None
        return 1000 * (client_ip.timeout_seconds if client_ip else _AFFINITY_TIMEOUT_S)


class Service(msgspec.Struct, frozen=True):
    """A Service."""

    metadata: objects.ObjectMeta
    spec: ServiceSpec = ServiceSpec()

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name


def usable_addresses(
    slices: Iterable[objects.EndpointSlice], port_name: str | None
) -> tuple[Address, ...]:
    """Return the endpoints of a Service's port that get new connections, sorted.

    These are the ready ones; when there is none, those that still serve while they terminate
    (KEP-1669, ProxyTerminatingEndpoints). A condition that is not given counts as kube-proxy
    counts it: `ready` as true, `serving` as `ready`, `terminating` as false
    (pkg/proxy/endpointslicecache.go).
    """
    ready: set[Address] = set()
    leaving: set[Address] = set()
    for each in slices:
        if each.address_type == "FQDN":
            # A name is nobody's to resolve here, nor for kube-proxy.
            continue
        ports = [
            p.port
            for p in each.ports or ()
            if (p.name or "") == (port_name or "") and (p.protocol or "TCP") == "TCP"
        ]
        for endpoint in each.endpoints or ():
            if not endpoint.addresses:
                continue
            conditions = endpoint.conditions
            is_ready = conditions.ready is None or conditions.ready
            serving = is_ready if conditions.serving is None else conditions.serving
            # All addresses of an endpoint are the same place, so one of them is enough.
            found = {(endpoint.addresses[0], port) for port in ports if port}
            if is_ready:
                ready |= found
            elif serving and conditions.terminating:
                leaving |= found
    return tuple(sorted(ready or leaving))
