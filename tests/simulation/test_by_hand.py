"""A coroutine that is driven by hand stops at each point, and only there."""

from __future__ import annotations

import pytest

from serinus.simulation.by_hand import ByHand, Point


async def two_steps(log: list[str]) -> str:
    try:
        log.append("one")
        answer = await Point("first", what=1)
        log.append(f"two {answer}")
        await Point("second")
        return "done"
    finally:
        log.append("left")


def test_it_runs_to_its_first_point_and_no_further() -> None:
    log: list[str] = []
    work = ByHand(two_steps(log))
    assert log == ["one"]
    assert work.point is not None
    assert (work.point.name, work.point.what) == ("first", 1)
    work.crash()


def test_it_hears_the_answer_and_has_a_result_at_its_end() -> None:
    log: list[str] = []
    work = ByHand(two_steps(log))
    work.go_on("yes")
    assert log == ["one", "two yes"]
    work.go_on()
    assert (work.point, work.result) == (None, "done")


def test_a_crash_ends_it_where_it_stands() -> None:
    log: list[str] = []
    work = ByHand(two_steps(log))
    work.crash()
    assert log == ["one", "left"]
    assert (work.point, work.result) == (None, None)


def test_what_it_raises_comes_out_where_it_was_told_to_go_on() -> None:
    async def fails() -> None:
        await Point("before")
        raise ValueError("here")

    work = ByHand(fails())
    with pytest.raises(ValueError, match="here"):
        work.go_on()
