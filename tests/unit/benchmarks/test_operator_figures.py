"""The figures of the operator's benchmark: which row brings each, and how it is told."""

from __future__ import annotations

from benchmarks.operator.__main__ import HERDS, PLAYS, QUICK
from benchmarks.operator.figures import FIGURES, ROWS, Figure, Measured, line, row_of, value


def test_every_row_is_played_and_brings_figures() -> None:
    assert {*PLAYS, *HERDS} == set(ROWS) == {row_of(name) for name in FIGURES}
    assert set(QUICK) <= set(ROWS)


def test_median_and_a_high_value_are_told_with_the_unit() -> None:
    measured = Measured.of([0.02 * n for n in range(20)])
    assert value(Figure("", "s"), measured) == "0.19 / 0.36 s"
    assert value(Figure("", "MB", digits=0), Measured.of([81.6])) == "82 MB"


def test_an_aim_that_was_missed_is_said() -> None:
    figure = Figure("change -> canary", "s", 0.15, "Argo 0.11")
    assert "MISSED" not in line(figure, Measured.of([0.154]), "local")  # as it is shown
    assert "<= 0.15 s MISSED" in line(figure, Measured.of([0.156]), "local")
