"""Weights, durations and steps as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.api import text
from serinus.errors import InvalidInput
from serinus.release.model import Pause, SetWeight, Step

weights_bp = st.integers(0, 10_000)
durations_ms = st.integers(0, text.DURATION_MS_MAX)


@given(weights_bp)
def test_weights_go_there_and_back(weight_bp: int) -> None:
    assert text.parse_weight(text.format_weight(weight_bp)) == weight_bp
    assert text.parse_weight(repr(text.percent_of(weight_bp))) == weight_bp


@pytest.mark.parametrize(
    ("typed", "weight_bp"),
    [
        ("25", 2_500),
        ("0.5", 50),
        ("12.34%", 1_234),
        (" 7 % ", 700),
        ("100", 10_000),
        ("1e1", 1_000),
    ],
)
def test_weights_are_percentages(typed: str, weight_bp: int) -> None:
    assert text.parse_weight(typed) == weight_bp


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("", "is no weight"),
        ("many", "is no weight"),
        ("-1", r"outside 0\.\.100"),
        ("100.01", r"outside 0\.\.100"),
        ("NaN", r"outside 0\.\.100"),
        ("Infinity", r"outside 0\.\.100"),
        ("1.234", "more than two decimals"),
    ],
)
def test_what_is_no_weight_is_refused_with_the_reason(typed: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        text.parse_weight(typed)


@pytest.mark.parametrize(
    ("weight_bp", "shown"), [(2_500, "25"), (50, "0.5"), (1_234, "12.34"), (10, "0.1"), (0, "0")]
)
def test_weights_are_shown_without_needless_zeros(weight_bp: int, shown: str) -> None:
    assert text.format_weight(weight_bp) == shown


@given(durations_ms)
def test_durations_go_there_and_back(duration_ms: int) -> None:
    assert text.parse_duration(text.format_duration(duration_ms)) == duration_ms


@pytest.mark.parametrize(
    ("typed", "duration_ms"),
    [("500ms", 500), ("30s", 30_000), ("1h30m", 5_400_000), ("2d", 172_800_000), ("0s", 0)],
)
def test_durations_have_units(typed: str, duration_ms: int) -> None:
    assert text.parse_duration(typed) == duration_ms


@pytest.mark.parametrize("typed", ["", "5", "s", "5 s", "1.5s", "-1s", "5s ", "5sm", "٣s", "5s1"])
def test_what_is_no_duration_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        text.parse_duration(typed)


def test_a_year_is_the_longest() -> None:
    assert text.parse_duration("365d") == text.DURATION_MS_MAX
    with pytest.raises(ValueError, match="longer than a year"):
        text.parse_duration("365d1ms")


@st.composite
def growing_steps(draw: st.DrawFn) -> tuple[Step, ...]:
    weights = sorted(draw(st.lists(weights_bp, min_size=1, max_size=5)))
    steps: list[Step] = []
    for weight_bp in weights:
        steps.append(SetWeight(weight_bp))
        steps.extend(draw(st.lists(st.builds(Pause, st.none() | durations_ms), max_size=2)))
    return tuple(steps)


@given(growing_steps())
def test_steps_go_there_and_back(steps: tuple[Step, ...]) -> None:
    assert text.parse_steps(text.format_steps(steps)) == steps


def test_steps_may_have_blanks_around_them() -> None:
    assert text.parse_steps(" 25 , pause , pause:30s,50%") == (
        SetWeight(2_500),
        Pause(),
        Pause(30_000),
        SetWeight(5_000),
    )


def test_every_wrong_step_is_told_with_its_column() -> None:
    with pytest.raises(InvalidInput) as caught:
        text.parse_steps("25, stop:3s,,pause:soon,10,130")
    problems = caught.value.problems
    assert [p.partition(":")[0] for p in problems] == [
        "step 2 (column 5)",
        "step 3 (column 13)",
        "step 4 (column 14)",
        "step 6 (column 28)",
        "step 5 (column 25)",
    ]
    assert "'stop' is no step" in problems[0]
    assert "empty" in problems[1]
    assert "'soon' is no duration" in problems[2]
    assert "outside 0..100" in problems[3]
    assert "10 after 25; weights may only grow" in problems[4]


def test_the_order_is_judged_from_step_to_step() -> None:
    steps = (SetWeight(5_000), None, Pause(), SetWeight(2_500), SetWeight(3_000), SetWeight(100))
    assert [index for index, _ in text.order_problems(steps)] == [3, 5]
    assert text.order_problems((SetWeight(100), SetWeight(100))) == []


def test_no_more_steps_are_taken_than_a_record_may_hold() -> None:
    assert len(text.parse_steps(",".join(["pause"] * 100))) == 100
    with pytest.raises(InvalidInput, match="101 steps are more than 100"):
        text.parse_steps(",".join(["pause"] * 101))
