"""A simulation that finds nothing proves nothing, unless it finds what was put there."""

from __future__ import annotations

import pytest

from tests.simulation.hunting import among, violation
from tests.simulation.mutants import MUTANTS, Hunt, Mutant, functions, planted

HUNTS = sorted({repr(mutant.hunt): mutant.hunt for mutant in MUTANTS}.items())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_found(mutant: Mutant) -> None:
    with planted(mutant):
        assert violation(mutant.hunt) != ""


@pytest.mark.parametrize("hunt", [hunt for _, hunt in HUNTS], ids=[name for name, _ in HUNTS])
def test_nothing_is_found_where_no_bug_was_planted(hunt: Hunt) -> None:
    assert len(among(hunt)) == len(hunt.faults)
    assert violation(hunt) == ""


def test_a_planted_bug_leaves_no_trace() -> None:
    for mutant in MUTANTS:
        before = {name: f.__code__ for name, f in functions(mutant.module).items()}
        with planted(mutant):
            changed = {name: f.__code__ for name, f in functions(mutant.module).items()}
            assert changed != before
        assert {name: f.__code__ for name, f in functions(mutant.module).items()} == before
