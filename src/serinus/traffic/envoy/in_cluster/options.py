"""What the owner of a release asks of its routers."""

from __future__ import annotations

import enum

import msgspec

from serinus.assignment.identity import IdCookie, IdentitySource
from serinus.rules.tree import Rule
from serinus.traffic.envoy.plan import Mirror, RetryOnStable


class Keep(enum.Enum):
    """Whether routers stay between releases."""

    DURING_RELEASES = "DuringReleases"
    """They come with a release and go with it."""
    ALWAYS = "Always"


class EnvoyOptions(msgspec.Struct, frozen=True):
    """All of it has a default: an exact split, by chance."""

    rules: tuple[Rule, ...] = ()
    identity: tuple[IdentitySource, ...] = ()
    cookie: IdCookie | None = None
    retry_on_stable: RetryOnStable | None = None
    mirror: Mirror | None = None
    keep: Keep = Keep.DURING_RELEASES
    replica_count: int = 2
    drain_ms: int = 5_000
    """How long a router that goes still takes connections: proxies of the cluster and open
    connections follow in that time."""
    image: str = ""
    """Empty: the image of this version of serinus."""
