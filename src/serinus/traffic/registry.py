"""The routers that this build knows: one line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from serinus.errors import UnknownName
from serinus.traffic.envoy.in_cluster.options import EnvoyOptions
from serinus.traffic.envoy.router import Envoy
from serinus.traffic.plan import Live, Manifest
from serinus.traffic.replica_ratio import ReplicaRatio
from serinus.traffic.router import Router
from serinus.traffic.write import ObjectRef

Options: TypeAlias = EnvoyOptions
"""What owners ask of the routers that have options of their own."""

ROUTERS: dict[str, Router] = {router.name: router for router in (ReplicaRatio(), Envoy())}


def router(name: str, options: Options | None = None) -> Router:
    """Return the router of that name, or raise UnknownName with those there are."""
    if name not in ROUTERS:
        raise UnknownName("router", name, sorted(ROUTERS))
    if isinstance(options, EnvoyOptions) and name == Envoy().name:
        return Envoy(options)
    return ROUTERS[name]


def as_owned(service: Manifest, target: Manifest | None) -> Manifest:
    """Return a Service with the selector that its owner wrote, whichever router changed it."""
    for each in ROUTERS.values():
        selector = each.owners_selector(Live(service=service, target=target))
        service = {**service, "spec": {**service["spec"], "selector": dict(selector)}}
    return service


def of_routers(services: Sequence[Manifest]) -> set[str]:
    """Return the names of the Services that routers have beside those of owners."""
    refs = [
        ObjectRef("v1", "Service", s["metadata"].get("namespace", ""), s["metadata"]["name"])
        for s in services
    ]
    marked = {s["metadata"]["name"] for s in services if s["metadata"].get("ownerReferences")}
    named = {name for ref in refs for each in ROUTERS.values() for name in each.reads(ref).services}
    return named & marked
