"""One seed, or one list, says all; and the exhaustive choices leave no list out."""

from __future__ import annotations

import itertools

import pytest

from serinus.simulation.choices import Choices, Exhaustive, Replay, Seeded

COUNTS = (2, 3, 1, 2)


def faults(choices: Choices) -> tuple[int, ...]:
    return tuple(choices.fault(count) for count in COUNTS)


@pytest.mark.parametrize("faults_max", [0, 1, 2, 4])
def test_exhaustive_choices_give_each_list_once(faults_max: int) -> None:
    choices = Exhaustive(faults_max)
    given = []
    while choices.begin():
        given.append(faults(choices))
        assert choices.faults == sum(1 for drawn in given[-1] if drawn)
    every = itertools.product(*(range(count + 1) for count in COUNTS))
    expected = [one for one in every if sum(1 for drawn in one if drawn) <= faults_max]
    assert sorted(given) == sorted(expected)
    assert len(set(given)) == len(given)


def test_exhaustive_choices_follow_counts_that_depend_on_what_was_drawn() -> None:
    choices = Exhaustive(2)
    given = []
    while choices.begin():
        first = choices.fault(1)
        given.append((first, choices.fault(2)) if first else (first,))
    assert given == [(0,), (1, 0), (1, 1), (1, 2)]


def test_one_seed_gives_one_list_and_its_replay_gives_it_again() -> None:
    def draw(choices: Choices) -> list[int]:
        return [draw(8) for _ in range(50) for draw in (choices.below, choices.fault)]

    seeded = Seeded(7, faults_max=5, rate=3)
    drawn = draw(seeded)
    assert draw(Seeded(7, faults_max=5, rate=3)) == drawn == draw(Replay(seeded.drawn))
    assert draw(Seeded(8, faults_max=5, rate=3)) != drawn


def test_no_more_faults_are_drawn_than_there_may_be() -> None:
    seeded = Seeded(1, faults_max=3, rate=2)
    assert sum(1 for _ in range(200) if seeded.fault(4)) == 3


def test_a_replay_ends_in_quiet() -> None:
    replay = Replay([2, 1])
    assert [replay.fault(3), replay.below(2), replay.fault(3), replay.below(2)] == [2, 1, 0, 0]
