"""What a verb on a pair wants, what it sees, and what it decides."""

from __future__ import annotations

from typing import Literal

import msgspec

from serinus.clock import Instant
from serinus.release.model import Shown
from serinus.release.observation import ReplicaSet, Target
from serinus.traffic.plan import Live, Manifest
from serinus.traffic.write import Write


class PairGoal(msgspec.Struct, frozen=True):
    """Where a verb wants to go; `weight_bp` only with set-weight."""

    verb: Literal["set-weight", "promote", "abort"]
    weight_bp: int = 0


class PairObservation(msgspec.Struct, frozen=True):
    """The pair at one moment, as values and as JSON."""

    stable: Target
    stable_set: ReplicaSet | None
    """The ReplicaSet of stable's own template."""
    canary: Target | None
    canary_set: ReplicaSet | None
    stable_object: Manifest
    canary_object: Manifest | None
    live: Live
    settle_ms: int


class PairDecision(msgspec.Struct, frozen=True):
    """What to send now, what is waited for, and whether the goal is reached."""

    writes: tuple[Write, ...] = ()
    waiting: str = ""
    done: bool = False
    shown: Shown | None = None
    wake_at: Instant | None = None
