"""The plan of a router that stands in front of a Service, and the pods it may send to."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from serinus.assignment.intervals import Version
from serinus.assignment.split import TAG_HEADER, Split


class Port(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One port of the Service that speaks HTTP; the router listens where the pods would."""

    name: str
    listen: int


class RetryOnStable(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Ask stable when the canary failed, so that the user does not see it.

    A canary that has not begun to answer after `per_try_timeout_ms` is not given up: stable is
    asked beside it, and the first whole answer wins. So a slow but healthy answer is never cut.
    """

    per_try_timeout_ms: int = 2_000
    retry_count_max: int = 2


class Mirror(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Send a copy of stable's requests to the canary; nobody waits for its answer."""

    weight_bp: int


class Timeouts(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How long the router waits; 0 is for ever, as a plain Service does."""

    request_ms: int = 0
    connect_ms: int = 1_000
    idle_upstream_ms: int = 1_000
    """Shorter than servers keep idle connections, so that none is used as it is being closed."""


class Edge(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What of a client's own words is believed."""

    trusts_tag: bool = False
    """An outer hop has decided; its tag is followed."""
    strip_headers: tuple[str, ...] = ()
    """Taken from every request before anything is decided."""
    trusted_hop_count: int = 0
    """Proxies in front that append to X-Forwarded-For."""


class RouterPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that a router does for one Service, but for the pods behind it.

    Attributes:
        ports: fixed for the life of a router: another port is another listener.
        repeatable_methods: the requests that may be sent twice: by `retry_on_stable`, and by
            `mirror`.
        tag_header: tells each pod which version it plays; what a client sent in it is replaced.
    """

    name: str
    ports: tuple[Port, ...]
    split: Split
    retry_on_stable: RetryOnStable | None = None
    mirror: Mirror | None = None
    repeatable_methods: tuple[str, ...] = ("GET", "HEAD", "OPTIONS")
    timeouts: Timeouts = Timeouts()
    edge: Edge = Edge()
    tag_header: str = TAG_HEADER


class Endpoint(msgspec.Struct, frozen=True, order=True):
    """One place that serves."""

    host: str
    port: int


Endpoints = Mapping[tuple[str, Version], tuple[Endpoint, ...]]
"""The ready endpoints of each version, by the name of the port."""


def weight_in_force_bp(plan: RouterPlan, endpoints: Endpoints) -> int:
    """Return the canary's share that can be served: a version with no endpoint gets nothing."""
    if any(not endpoints.get((port.name, Version.CANARY)) for port in plan.ports):
        return 0
    if any(not endpoints.get((port.name, Version.STABLE)) for port in plan.ports):
        return 10_000
    return plan.split.weight_bp
