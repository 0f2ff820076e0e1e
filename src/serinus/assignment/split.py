"""A split of one application's requests: rules, then the share of each user's bucket."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from serinus.assignment.identity import IdCookie, IdentitySource
from serinus.assignment.intervals import TOTAL_BP, Interval, allocate
from serinus.errors import InvariantViolation
from serinus.rules.tree import Rule


@dataclass(frozen=True, slots=True)
class Split:
    """How requests are shared between stable and canary.

    `identity` is a chain: the first source that has a value says who the user is. Without any, a
    request is shared by chance (`Basis.CHANCE`), or the user gets an id by `cookie`.
    """

    salt: str
    """Of one release: `namespace/name/revision`."""
    weight_bp: int
    rules: tuple[Rule, ...] = ()
    identity: tuple[IdentitySource, ...] = ()
    cookie: IdCookie | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.weight_bp <= TOTAL_BP:
            raise InvariantViolation(f"a weight of {self.weight_bp} is outside 0..{TOTAL_BP}")

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Return who owns which buckets."""
        return allocate(self.weight_bp)


class Basis(enum.Enum):
    """What a decision rests on."""

    RULE = "rule"
    BUCKET = "bucket"
    CHANCE = "chance"
    """Nobody knows who the user is."""
