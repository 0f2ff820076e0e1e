"""The routers that this build knows: one line each."""

from __future__ import annotations

from serinus.errors import UnknownName
from serinus.traffic.replica_ratio import ReplicaRatio
from serinus.traffic.router import Router

ROUTERS: dict[str, Router] = {router.name: router for router in (ReplicaRatio(),)}


def router(name: str) -> Router:
    """Return the router of that name, or raise UnknownName with those there are."""
    try:
        return ROUTERS[name]
    except KeyError:
        raise UnknownName("router", name, sorted(ROUTERS)) from None
