"""How many pods express a weight."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.traffic.replica_ratio import capacity, is_coarse, replica_count_for
from serinus.traffic.router import Capacity, Mode

counts = st.integers(2, 60)
between = st.integers(1, 9_999)
up_to_half = st.integers(1, 5_000)


def share(found: Capacity) -> Fraction:
    return Fraction(found.canary, found.canary + found.stable)


@pytest.mark.parametrize(
    ("n", "percent", "mode", "surge", "stable", "canary"),
    [
        (3, 25, Mode.SURGE, True, 3, 1),
        (3, 50, Mode.SURGE, True, 3, 3),
        (3, 100, Mode.SURGE, True, 3, 3),
        (10, 10, Mode.SURGE, True, 10, 1),
        (10, 20, Mode.SURGE, False, 10, 3),
        (3, 1, Mode.SURGE, True, 3, 1),
        (1, 50, Mode.SURGE, True, 1, 1),
        (4, 0, Mode.SURGE, True, 4, 0),
        (4, 25, Mode.CONSTANT, True, 3, 1),
        (4, 75, Mode.CONSTANT, True, 1, 3),
        (4, 60, Mode.CONSTANT, True, 2, 3),
        (4, 60, Mode.CONSTANT, False, 2, 2),
        (4, 100, Mode.CONSTANT, True, 1, 4),
        (4, 100, Mode.CONSTANT, False, 1, 3),
        (2, 50, Mode.CONSTANT, False, 1, 1),
        (2, 100, Mode.CONSTANT, False, 1, 1),
        (1, 30, Mode.CONSTANT, True, 1, 1),
        (1, 100, Mode.CONSTANT, False, 1, 1),
        (0, 50, Mode.SURGE, True, 0, 0),
        (0, 100, Mode.CONSTANT, True, 0, 0),
    ],
)
def test_pods_for_a_weight(
    n: int, percent: int, mode: Mode, surge: bool, stable: int, canary: int
) -> None:
    found = capacity(n, percent * 100, mode=mode, surge=surge)
    assert (found.stable, found.canary) == (stable, canary)


@given(counts, up_to_half)
def test_surge_takes_the_nearest_share_and_the_fewer_pods_at_a_tie(n: int, weight_bp: int) -> None:
    found = capacity(n, weight_bp, mode=Mode.SURGE, surge=True)
    wanted = Fraction(weight_bp, 10_000)
    best = min(abs(Fraction(c, n + c) - wanted) for c in range(1, n + 1))
    fewest = min(c for c in range(1, n + 1) if abs(Fraction(c, n + c) - wanted) == best)
    assert found == Capacity(stable=n, canary=fewest)


@given(counts, between, st.booleans())
def test_constant_takes_the_nearest_share_within_its_total(
    n: int, weight_bp: int, surge: bool
) -> None:
    found = capacity(n, weight_bp, mode=Mode.CONSTANT, surge=surge)
    wanted = Fraction(weight_bp, 10_000)
    totals = (n, n + 1) if surge else (n,)
    nearest = min(abs(Fraction(c, t) - wanted) for t in totals for c in range(1, n))
    assert abs(share(found) - wanted) == nearest
    assert found.stable + found.canary in totals
    assert found.stable >= 1
    assert 1 <= found.canary < n


@given(counts, st.tuples(between, between), st.booleans())
def test_constant_never_gives_less_for_more(n: int, weights: tuple[int, int], surge: bool) -> None:
    low, high = sorted(weights)
    less = capacity(n, low, mode=Mode.CONSTANT, surge=surge)
    more = capacity(n, high, mode=Mode.CONSTANT, surge=surge)
    assert share(less) <= share(more)


@given(counts, st.tuples(up_to_half, up_to_half))
def test_surge_never_gives_less_for_more(n: int, weights: tuple[int, int]) -> None:
    low, high = sorted(weights)
    less = capacity(n, low, mode=Mode.SURGE, surge=True)
    more = capacity(n, high, mode=Mode.SURGE, surge=True)
    assert less.canary <= more.canary


@pytest.mark.parametrize("weight_bp", [-1, 10_001])
def test_a_weight_that_is_none_is_refused(weight_bp: int) -> None:
    with pytest.raises(ValueError, match=r"outside 0\.\.10000"):
        capacity(3, weight_bp, mode=Mode.SURGE, surge=True)


@pytest.mark.parametrize("weight_bp", [5_001, 9_999])
def test_surge_refuses_what_it_cannot_reach(weight_bp: int) -> None:
    with pytest.raises(ValueError, match="needs Constant mode"):
        capacity(3, weight_bp, mode=Mode.SURGE, surge=True)


@pytest.mark.parametrize(
    ("weight", "real", "coarse"),
    [
        (500, 5_000, True),
        (500, 1_500, False),
        (500, 1_501, True),
        (2_000, 4_000, False),
        (2_000, 4_001, True),
        (5_000, 1_000, False),
        (800, 1_700, False),
    ],
)
def test_coarse_is_over_twice_as_much_and_over_ten_points_more(
    weight: int, real: int, coarse: bool
) -> None:
    assert is_coarse(weight, real) is coarse


@given(st.integers(10, 5_000), st.sampled_from(Mode), st.booleans())
def test_the_replicas_named_are_the_fewest_that_will_do(
    weight_bp: int, mode: Mode, surge: bool
) -> None:
    enough = replica_count_for(weight_bp, mode=mode, surge=surge)

    def is_too_coarse(n: int) -> bool:
        real_bp = capacity(n, weight_bp, mode=mode, surge=surge).canary_share_bp
        return is_coarse(weight_bp, real_bp)

    assert not is_too_coarse(enough)
    assert all(is_too_coarse(n) for n in range(1, enough))


def test_shares_are_rounded_to_the_nearest_basis_point() -> None:
    assert Capacity(stable=2, canary=1).canary_share_bp == 3_333
    assert Capacity(stable=1, canary=2).canary_share_bp == 6_667
    assert Capacity(stable=0, canary=0).canary_share_bp == 0
