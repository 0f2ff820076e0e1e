"""The Service proxy: follows Services and EndpointSlices, and listens for them.

What it has once learned it keeps: with the API server gone it goes on with the endpoints that it
knows, and connections are not touched.
"""

from __future__ import annotations

import contextlib
import random
from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec
import structlog

from serinus import process
from serinus.clock import Clock
from serinus.kube import kinds, objects
from serinus.kube.cache import Backoff, Cache, CacheSetting, Changes
from serinus.kube.client import Client
from serinus.local_cluster.network import services
from serinus.local_cluster.network.balancer import Balancer
from serinus.local_cluster.network.listener import AddressError, Listener
from serinus.local_cluster.network.services import Address, Service

_log = structlog.get_logger("serinus.local_cluster.network")

RETRY_MS = 1000
Report = Callable[[Service, str, str], None]
"""Told of (Service, reason, message) when something keeps a Service from being reached."""

# An API server on this machine comes back within a second or two. Who then learns late that pods
# are going would send connections to them for as long as the pause lasts.
_BACKOFF = Backoff(first_ms=50, ceiling_ms=400)


class _PortKey(msgspec.Struct, frozen=True):
    """One port of one Service; the uid makes a Service made anew another one."""

    uid: str
    name: str
    port: int


class _Wanted(msgspec.Struct, frozen=True):
    service: Service
    key: _PortKey
    is_node_port: bool


class ServiceProxy:
    """Listen on the node ports and, where the machine has the addresses, the cluster IPs."""

    def __init__(
        self,
        client: Client,
        *,
        node_addresses: Sequence[str] = ("127.0.0.1",),
        report: Report | None = None,
        source: random.Random | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._node_addresses = tuple(node_addresses)
        self._report = report or (lambda *_: None)
        self._random = source or random.Random()  # noqa: S311 - a draw, not a secret
        self._clock = clock or process.SystemClock()
        self._changes = Changes()
        setting = CacheSetting(changes=self._changes, backoff=_BACKOFF)
        self._services = Cache(
            client, kinds.SERVICES, decode=objects.decoder(Service), setting=setting
        )
        self._slices = Cache(
            client,
            kinds.ENDPOINT_SLICES,
            decode=objects.decoder(objects.EndpointSlice),
            setting=setting,
        )
        self._listeners: dict[Address, Listener] = {}
        self._balancers: dict[_PortKey, Balancer] = {}
        self._owners: dict[Address, _PortKey] = {}
        self._told: dict[Address, _PortKey] = {}
        self._beyond_us: set[Address] = set()
        self._retry = False

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """All listeners, open or closed."""
        return tuple(self._listeners.values())

    async def run(self) -> None:
        """Follow the cluster until cancelled; then end all connections."""
        try:
            async with self._services, self._slices:
                await self._services.synced()
                await self._slices.synced()
                while True:
                    seen_count = self._changes.count
                    await self.reconcile()
                    await self._changes.wait(
                        RETRY_MS if self._retry else None, since_count=seen_count
                    )
        finally:
            for listener in self._listeners.values():
                listener.cut()

    async def reconcile(self) -> None:
        """Make listeners and endpoints what the caches say."""
        wanted = self._wanted()
        self._retry = False
        for address in [a for a, k in self._owners.items() if self._key(wanted, a) != k]:
            self._listeners.pop(address).close()
            del self._owners[address]
            self._told.pop(address, None)
        self._update_balancers(wanted)
        for address, each in wanted.items():
            listener = self._listeners.get(address)
            if listener is None:
                listener = Listener(address, self._balancers[each.key], _log_dead_endpoint)
                self._listeners[address] = listener
                self._owners[address] = each.key
            if not listener.balancer.endpoints:
                listener.close()
            else:
                await self._open(listener, each)

    def _wanted(self) -> dict[Address, _Wanted]:
        found: dict[Address, _Wanted] = {}
        for service in sorted(
            self._services.items(), key=lambda s: s.metadata.creation_timestamp or ""
        ):
            for port in service.spec.ports or ():
                if (port.protocol or "TCP") != "TCP" or service.spec.type == "ExternalName":
                    continue
                key = _PortKey(service.metadata.uid, port.name or "", port.port)
                if port.node_port:
                    for host in self._node_addresses:
                        found.setdefault(
                            (host, port.node_port), _Wanted(service, key, is_node_port=True)
                        )
                cluster_ip = service.spec.cluster_ip
                if cluster_ip not in {"", "None"}:
                    address = (cluster_ip, port.port)
                    if address not in self._beyond_us:
                        found.setdefault(address, _Wanted(service, key, is_node_port=False))
        return found

    def _key(self, wanted: dict[Address, _Wanted], address: Address) -> _PortKey | None:
        return wanted[address].key if address in wanted else None

    def _update_balancers(self, wanted: dict[Address, _Wanted]) -> None:
        slices = defaultdict(list)
        for each in self._slices.items():
            name = (each.metadata.labels or {}).get(objects.SERVICE_NAME_LABEL)
            if name:
                slices[each.metadata.namespace, name].append(each)
        needed = {w.key: w.service for w in wanted.values()}
        for key in set(self._balancers) - set(needed):
            del self._balancers[key]
        for key, service in needed.items():
            balancer = self._balancers.get(key)
            if balancer is None:
                balancer = Balancer(source=self._random, clock=self._clock)
                self._balancers[key] = balancer
            addresses = services.usable_addresses(slices[service.key], key.name)
            if addresses != balancer.endpoints:
                _log.info(
                    "endpoints",
                    service="/".join(service.key),
                    port=key.name or key.port,
                    count=len(addresses),
                )
            balancer.update(addresses, service.spec.affinity_ms)

    async def _open(self, listener: Listener, wanted: _Wanted) -> None:
        if listener.is_open:
            return
        address = listener.address
        try:
            await listener.open()
        except AddressError as e:
            self._tell(address, wanted, e)
            if wanted.is_node_port or not e.is_beyond_us:
                self._retry = True
            else:
                self._beyond_us.add(address)
                del self._listeners[address], self._owners[address]
            return
        _log.info("listening", service="/".join(wanted.service.key), address=_text(address))
        self._told.pop(address, None)

    def _tell(self, address: Address, wanted: _Wanted, error: AddressError) -> None:
        if self._told.get(address) == wanted.key:
            return
        self._told[address] = wanted.key
        where = "/".join(wanted.service.key)
        if not wanted.is_node_port and error.is_beyond_us:
            _log.info("cluster IP not reachable on this machine", service=where, why=str(error))
            return
        what = "node port" if wanted.is_node_port else "cluster IP"
        remedy = (
            "whoever has it must let go of it "
            f"(`ss -ltnp 'sport = :{address[1]}'` names them); tried again every second"
            if error.is_taken
            else "tried again every second"
        )
        message = f"cannot listen on the {what} {error}; {remedy}"
        _log.warning("port not available", service=where, why=message)
        with contextlib.suppress(Exception):
            self._report(wanted.service, "PortNotAvailable", message)


def _log_dead_endpoint(address: Address, error: OSError) -> None:
    _log.info("endpoint does not answer", endpoint=_text(address), why=error.strerror or str(error))


def _text(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
