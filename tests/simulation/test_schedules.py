"""Production rounds under faults: pinned seeds, and all schedules of small scopes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from serinus.release.model import Phase
from serinus.simulation import faults, play
from serinus.simulation.choices import Exhaustive, Replay, Seeded
from serinus.simulation.example import EXAMPLES, NEW, draw
from serinus.simulation.exhaustive import exhaustion
from serinus.simulation.simulation import AtPoint

PINNED = Path(__file__).with_name("seeds.txt")
SEED_COUNT = 60


def pinned_seeds() -> list[int]:
    lines = PINNED.read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("seed", pinned_seeds())
def test_a_seed_that_once_found_something_finds_nothing(seed: int) -> None:
    assert play.seeded(seed).violation == ""


def test_random_schedules_go_well_and_end_in_more_than_one_way() -> None:
    outcomes = [play.seeded(seed) for seed in range(SEED_COUNT)]
    assert [outcome for outcome in outcomes if outcome.violation] == []
    ends = Counter(outcome.phase for outcome in outcomes)
    assert ends[Phase.HEALTHY] > 5
    assert ends[Phase.ABORTED] > 5


def test_one_seed_is_one_schedule() -> None:
    assert play.seeded(11) == play.seeded(11)


def test_what_was_drawn_is_the_schedule_too() -> None:
    choices = Seeded(5, faults_max=4, rate=5)
    outcome = play.play(draw(choices), choices, shuffled=True)
    again = Replay(choices.drawn)
    assert play.play(draw(again), again, shuffled=True) == outcome
    assert outcome.happened != ()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_ends_as_its_owner_wishes_when_nothing_goes_wrong(name: str) -> None:
    outcome = play.play(EXAMPLES[name], Replay())
    assert outcome.violation == ""
    ends = {"abort": Phase.ABORTED, "leaving": Phase.ABORTING}
    assert outcome.phase is ends.get(name.partition(",")[0], Phase.HEALTHY)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_all_schedules_with_one_fault_of_a_call_go_well(name: str) -> None:
    found = exhaustion.all_schedules(EXAMPLES[name], faults_max=1, among=())
    assert found.findings == ()
    assert found.is_complete
    assert found.schedule_count > 80


def test_all_schedules_with_two_faults_of_calls_go_well() -> None:
    found = exhaustion.all_schedules(EXAMPLES["adoption"], faults_max=2, among=())
    assert found.findings == ()
    assert found.is_complete
    assert found.schedule_count > 9_000


def test_all_schedules_with_one_fault_of_any_kind_go_well() -> None:
    happened: set[str] = set()
    for name, among, count in (
        ("abort", faults.ALL, 900),
        ("leaving", faults.OWNERS, 120),
        ("adoption, policy", faults.OWNERS, 250),
    ):
        walk = exhaustion.Exhaustion(EXAMPLES[name], faults_max=1, among=among)
        found = walk.run(lambda: True)
        assert found.findings == ()
        assert found.is_complete
        assert found.schedule_count > count
        happened.update(line.partition(": ")[2] for line in walk.happened)
    expected = {fault.name for fault in faults.ALL} | {at_point.value for at_point in AtPoint}
    # To set the new template again takes two: another one has to come first.
    assert expected - happened == {f"the template becomes {NEW}"}


def test_schedules_that_are_counted_are_those_that_are_played_one_by_one() -> None:
    """Moments that are alike are gone on from once; nothing is lost by that."""
    example = EXAMPLES["rolling update"]
    choices = Exhaustive(1)
    played = 0
    while choices.begin():
        assert play.play(example, choices, among=()).violation == ""
        played += 1
    found = exhaustion.all_schedules(example, faults_max=1, among=())
    assert found.schedule_count == played
    assert found.turn_count < played * 14
