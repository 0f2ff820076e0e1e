"""What a router is: a pure translator from a plan to writes, and from live objects to a report."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence, Set
from typing import Protocol

import msgspec

from serinus.traffic.plan import Live, Manifest, RouteReport, TrafficPlan
from serinus.traffic.write import ObjectRef, Write


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
    stands_in_front: bool = False
    """Proxies of ours take the Service's traffic: they do so before the canary's pods, which carry
    the labels that the Service selects."""
    acknowledges: bool = False
    """Its report is what the proxies do, and not only what the cluster shows."""


class Reads(msgspec.Struct, frozen=True):
    """What a router looks at beside the Service, its endpoints, and the pods behind it."""

    objects: tuple[ObjectRef, ...] = ()
    services: tuple[str, ...] = ()
    """Services whose EndpointSlices it reads."""
    pod_labels: Mapping[str, str] = {}
    """What its own pods are labelled with."""


class Obstacle(msgspec.Struct, frozen=True):
    """Why a router cannot do its work here, or what people should know before it does."""

    reason: str
    message: str
    blocking: bool = True


class Router(Protocol):
    """Translate plans; do no I/O; keep no state."""

    @property
    def name(self) -> str:
        """Return what it is called in a manifest."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """Return what it can do."""
        ...

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

    def reads(self, service: ObjectRef) -> Reads:
        """Return what it looks at for a Service."""
        ...

    def obstacles(
        self, plan: TrafficPlan, live: Live, services: Sequence[Manifest]
    ) -> tuple[Obstacle, ...]:
        """Return what stands in the way of a plan; `services` are those over the same pods."""
        ...

    def owners_selector(self, live: Live) -> Mapping[str, str]:
        """Return the Service's selector as its owner wrote it."""
        ...

    def sole_revision(self, live: Live) -> str | None:
        """Return the revision that gets everything by now while another exists, else None."""
        ...

    def strands_users(self, live: Live) -> bool:
        """Tell whether users are sent to nobody although a pod could serve them."""
        ...

    def in_force_bp(self, live: Live, canary_revision: str, revisions: Set[str]) -> int:
        """Return the share that the canary gets by now."""
        ...

    def words_of(self, live: Live, pod: str) -> str:
        """Say for people what a pod of the router has in force."""
        ...
