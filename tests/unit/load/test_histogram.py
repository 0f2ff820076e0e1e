from __future__ import annotations

import math
import random

import pytest

from serinus.load.histogram import Histogram

SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)


def of(durations: list[int]) -> Histogram:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    return histogram


def test_nothing_counted_has_no_quantiles() -> None:
    assert Histogram().quantiles(SHARES) == []


def test_short_durations_are_told_exactly() -> None:
    assert of(list(range(1, 1001))).quantiles(SHARES) == [500, 900, 990, 999, 1000]


def test_one_duration_is_every_quantile() -> None:
    assert of([7]).quantiles(SHARES) == [7] * 5


@pytest.mark.parametrize("longest", [2_000, 1_000_000, 3_600_000_000])
def test_long_durations_are_told_to_within_a_thousandth_and_never_too_short(longest: int) -> None:
    source = random.Random(longest)
    durations = [source.randint(1, longest) for _ in range(5_000)]
    found = of(durations).quantiles(SHARES)
    in_order = sorted(durations)
    for share, quantile in zip(SHARES, found, strict=True):
        exact = in_order[math.ceil(share * len(in_order)) - 1]
        assert exact <= quantile <= exact * 1.001


def test_however_long_a_run_only_so_many_durations_are_kept_apart() -> None:
    histogram = of(list(range(1, 200_000)))
    kept = histogram.quantiles([n / 200_000 for n in range(1, 200_001)])
    assert len(set(kept)) < 2_048 + 1_024 * math.log2(200_000 / 2_048) + 1
