"""Nobody flips, nobody leaves when the weight grows, and shares are as asked for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.assignment.bucket import bucket
from serinus.assignment.identity import IdentityKind, IdentitySource
from serinus.assignment.intervals import TOTAL_BP, Version, allocate, owner
from serinus.assignment.split import Assignment, Split
from serinus.rules.tree import Request

WEIGHTS_BP = (1, 10, 100, 500, 1_000, 2_500, 5_000, 9_999)
USERS = [f"user-{number}" for number in range(100_000)]
USER = IdentitySource(IdentityKind.HEADER, "x-user")

weights = st.integers(0, TOTAL_BP)


@given(weights)
def test_intervals_are_consecutive_and_own_every_bucket_once(weight_bp: int) -> None:
    intervals = allocate(weight_bp)
    edges = [intervals[0].start_bp, *(interval.end_bp for interval in intervals)]
    assert edges == sorted(edges)
    assert (edges[0], edges[-1]) == (0, TOTAL_BP)
    assert [i.start_bp for i in intervals] == edges[:-1]


@given(weights, weights, st.integers(0, TOTAL_BP - 1))
def test_whoever_has_the_canary_keeps_it_when_the_weight_grows(
    one: int, other: int, number: int
) -> None:
    less, more = sorted((one, other))
    if owner(allocate(less), number) is Version.CANARY:
        assert owner(allocate(more), number) is Version.CANARY


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")), weights)
def test_the_same_user_gets_the_same_version_each_time(
    user: str, salt: str, weight_bp: int
) -> None:
    request = Request(headers={"x-user": [user]})
    split = Split(salt, weight_bp, identity=(USER,))
    first = Assignment(split).decide(request, lambda: "nobody")
    again = Assignment(split).decide(request, lambda: "nobody")
    assert first == again
    assert first.bucket is not None
    assert (first.version is Version.CANARY) == (first.bucket < weight_bp)


def deviation(count: int, expected: float, total: int) -> float:
    share = expected / total
    return (count - expected) / math.sqrt(total * share * (1 - share))


@pytest.mark.parametrize("salt", ["shop/web/1", "shop/web/2"])
def test_shares_are_within_binomial_bounds(salt: str) -> None:
    buckets = sorted(bucket(user, salt) for user in USERS)
    worst = 0.0
    for weight_bp in WEIGHTS_BP:
        count = sum(number < weight_bp for number in buckets)
        z = deviation(count, len(USERS) * weight_bp / TOTAL_BP, len(USERS))
        worst = max(worst, abs(z))
    print(f"worst |z| of {len(WEIGHTS_BP)} weights: {worst:.2f}")
    assert worst < 4.5


def test_each_release_draws_other_users_first() -> None:
    """At 10 % each, a hundredth of all users is in the canary of both releases."""
    in_both = sum(
        bucket(user, "shop/web/1") < 1_000 and bucket(user, "shop/web/2") < 1_000 for user in USERS
    )
    z = deviation(in_both, len(USERS) / 100, len(USERS))
    print(f"in both: {in_both}, z = {z:.2f}")
    assert abs(z) < 4.5
