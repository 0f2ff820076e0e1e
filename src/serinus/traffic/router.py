"""What a router is: a pure translator from a plan to writes, and from live objects to a report."""

from __future__ import annotations

import enum
from typing import Protocol

import msgspec

from serinus.traffic.plan import Live, RouteReport, TrafficPlan
from serinus.traffic.write import Write


class Mode(enum.Enum):
    """Where the canary's pods come from."""

    SURGE = "Surge"
    """Beside a whole stable revision, which is never scaled down."""
    CONSTANT = "Constant"
    """In place of stable pods, so that the total stays at N (or N + 1)."""


class Capacity(msgspec.Struct, frozen=True):
    """How many pods each revision needs for a weight."""

    stable: int
    canary: int

    @property
    def canary_share_bp(self) -> int:
        """Return the canary's share of the pods in basis points, rounded to the nearest."""
        total = self.stable + self.canary
        return 0 if total == 0 else (self.canary * 20_000 + total) // (2 * total)


class Capabilities(msgspec.Struct, frozen=True):
    """What a router can do; what it cannot is refused before a release starts."""

    exact_weights: bool = False
    content_rules: bool = False
    stickiness: bool = False
    mirror: bool = False
    weights_follow_replicas: bool = False
    """The share is the share of pods: weight and replicas move together."""


class Router(Protocol):
    """Translate plans; do no I/O; keep no state."""

    name: str
    capabilities: Capabilities

    def capacity(self, replica_count: int, weight_bp: int, *, mode: Mode, surge: bool) -> Capacity:
        """Return the pods that express `weight_bp` beside `replica_count` wanted pods."""
        ...

    def render(self, plan: TrafficPlan, live: Live) -> tuple[Write, ...]:
        """Return the writes that are safe now; none when the plan is written."""
        ...

    def report(self, plan: TrafficPlan, live: Live) -> RouteReport:
        """Say whether the cluster shows the plan."""
        ...

    def restore(self, live: Live) -> tuple[Write, ...]:
        """Return the writes that leave the route as it was before any release."""
        ...
