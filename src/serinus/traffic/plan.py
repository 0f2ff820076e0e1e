"""The router-neutral wish, and what a router answers to it."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

WEIGHT_BP_MAX = 10_000
"""All requests, in basis points."""

Manifest: TypeAlias = Mapping[str, Any]
"""A Kubernetes object as plain JSON."""


class Role(enum.Enum):
    """Which of the two revisions a backend is."""

    STABLE = "stable"
    CANARY = "canary"


class Backend(msgspec.Struct, frozen=True):
    """One revision and its share; `revision` is the cluster's own pod-template-hash."""

    role: Role
    revision: str
    weight_bp: int


class TrafficPlan(msgspec.Struct, frozen=True):
    """Who shall get which share of the requests; shares add up to 10,000.

    Without `with_rules` a backend of weight 0 gets nothing, exactly. At rest only stable is named.
    The canary's revision is empty while the cluster has not given it a hash.

    Attributes:
        with_rules: what the owner says of single requests (rules, mirror) goes before the shares.
        kept: what a router may keep between releases stays.
    """

    backends: tuple[Backend, ...]
    with_rules: bool = False
    kept: bool = True

    def __post_init__(self) -> None:
        if any(not 0 <= b.weight_bp <= WEIGHT_BP_MAX for b in self.backends):
            raise ValueError(f"a weight is outside 0..{WEIGHT_BP_MAX}: {self.backends}")
        if sum(b.weight_bp for b in self.backends) != WEIGHT_BP_MAX:
            raise ValueError(f"weights do not add up to {WEIGHT_BP_MAX}: {self.backends}")

    @classmethod
    def at_rest(cls, stable_revision: str = "", *, kept: bool = True) -> TrafficPlan:
        """Return the plan of a Service with one revision behind it."""
        return cls(backends=(Backend(Role.STABLE, stable_revision, WEIGHT_BP_MAX),), kept=kept)

    @classmethod
    def split(
        cls,
        stable_revision: str,
        canary_revision: str,
        weight_bp: int,
        *,
        with_rules: bool = False,
    ) -> TrafficPlan:
        """Return the plan that gives the canary `weight_bp`, 0 and all included."""
        return cls(
            backends=(
                Backend(Role.STABLE, stable_revision, WEIGHT_BP_MAX - weight_bp),
                Backend(Role.CANARY, canary_revision, weight_bp),
            ),
            with_rules=with_rules,
        )

    @property
    def canary_weight_bp(self) -> int:
        """Return the canary's share."""
        return sum(b.weight_bp for b in self.backends if b.role is Role.CANARY)

    def revision(self, role: Role) -> str:
        """Return the revision of a backend; empty where it has none."""
        return next((b.revision for b in self.backends if b.role is role), "")

    @property
    def sole_revision(self) -> str | None:
        """Return the revision that gets everything while another exists, else None."""
        if self.with_rules:
            return None
        full = [b for b in self.backends if b.weight_bp == WEIGHT_BP_MAX]
        return full[0].revision if full and len(self.backends) > 1 else None


class RouterParts(msgspec.Struct, frozen=True):
    """What a router has in the cluster: all that its `reads` names, as far as it is there."""

    objects: Sequence[tuple[str, Manifest]] = ()
    """Each with its kind."""
    slices: Sequence[Manifest] = ()
    pods: Sequence[Manifest] = ()
    unserved: tuple[str, ...] = ()
    """The kinds that the cluster does not know, or does not let us read."""

    def find(self, kind: str, name: str) -> Manifest | None:
        """Return an object, or None."""
        return next(
            (o for k, o in self.objects if k == kind and o["metadata"]["name"] == name), None
        )


class Live(msgspec.Struct, frozen=True):
    """The objects that a router reads, as the cluster shows them.

    Attributes:
        service: the user's own.
        slices: its endpoints.
        pods: those of the Deployment, of all its revisions.
        target: the Deployment.
    """

    service: Manifest | None = None
    slices: Sequence[Manifest] = ()
    pods: Sequence[Manifest] = ()
    target: Manifest | None = None
    parts: RouterParts = RouterParts()


class RouteState(enum.Enum):
    """Whether a plan is what the data plane does."""

    PENDING = "Pending"
    """A write is due, or the data plane has not followed it yet."""
    SHOWN = "Shown"
    """The cluster shows it; proxies may need `settle` to follow."""
    REJECTED = "Rejected"
    """It can never be in force as things are."""


class RouteReport(msgspec.Struct, frozen=True):
    """What the data plane answers to a plan."""

    state: RouteState
    detail: str = ""
