"""Who owns which buckets: consecutive intervals whose total is always 10,000.

The canary's interval begins at 0 and grows at its end, so raising the weight only adds users.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from serinus.errors import InvariantViolation

TOTAL_BP = 10_000
"""All buckets. A constant: with another total the same percentage would be other users."""


class Version(enum.Enum):
    """One of the two that a user may get; the value is the tag that travels with a request."""

    CANARY = "canary"
    STABLE = "stable"


@dataclass(frozen=True, slots=True)
class Interval:
    """The buckets from `start_bp` up to, not with, `end_bp`."""

    version: Version
    start_bp: int
    end_bp: int


def allocate(canary_bp: int) -> tuple[Interval, ...]:
    """Give the canary the first `canary_bp` buckets and stable the others, in order.

    Both are named also when one of them owns nothing.
    """
    if not 0 <= canary_bp <= TOTAL_BP:
        raise InvariantViolation(f"a weight of {canary_bp} is outside 0..{TOTAL_BP}")
    return (
        Interval(Version.CANARY, 0, canary_bp),
        Interval(Version.STABLE, canary_bp, TOTAL_BP),
    )


def owner(intervals: tuple[Interval, ...], bucket: int) -> Version:
    """Return the version that owns the bucket."""
    for interval in intervals:
        if interval.start_bp <= bucket < interval.end_bp:
            return interval.version
    raise InvariantViolation(f"nobody owns the bucket {bucket}")
