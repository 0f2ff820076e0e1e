"""Which endpoint gets the next connection of a Service's port."""

from __future__ import annotations

import random
from collections.abc import Sequence

from serinus.clock import Clock
from serinus.local_cluster.network.services import Address

_SWEEP_ABOVE_COUNT = 10_000


class Balancer:
    """Draw endpoints uniformly at random, or keep a client with the one that it had."""

    def __init__(self, *, source: random.Random, clock: Clock) -> None:
        self._random = source
        self._clock = clock
        self._endpoints: tuple[Address, ...] = ()
        self._affinity_ms: int | None = None
        self._clients: dict[str, tuple[Address, int]] = {}

    @property
    def endpoints(self) -> tuple[Address, ...]:
        """The endpoints that are drawn from."""
        return self._endpoints

    def update(self, endpoints: Sequence[Address], affinity_ms: int | None) -> None:
        """Swap the endpoints at once; connections that are there are nobody's business here."""
        self._endpoints = tuple(endpoints)
        self._affinity_ms = affinity_ms
        if affinity_ms is None:
            self._clients.clear()

    def choose(self, client: str) -> Address | None:
        """Return the endpoint for a new connection from this client, or None when there is none."""
        endpoints = self._endpoints
        if not endpoints:
            return None
        if self._affinity_ms is None:
            return endpoints[int(self._random.random() * len(endpoints))]
        return self._sticky(client, self._affinity_ms)

    def _sticky(self, client: str, affinity_ms: int) -> Address:
        now = self._clock.now_ms()
        chosen, until = self._clients.get(client, (None, 0))
        if chosen is None or until < now or chosen not in self._endpoints:
            chosen = self._random.choice(self._endpoints)
        # Each new connection prolongs the stay (pkg/proxy/nftables: `update @set ... timeout`).
        self._clients[client] = (chosen, now + affinity_ms)
        if len(self._clients) > _SWEEP_ABOVE_COUNT:
            self._clients = {c: e for c, e in self._clients.items() if e[1] >= now}
        return chosen
