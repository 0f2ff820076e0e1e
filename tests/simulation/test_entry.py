"""`python -m serinus.simulation` says how many schedules it played, and what went wrong."""

from __future__ import annotations

import re

import pytest

from serinus.simulation.__main__ import main
from tests.simulation.mutants import MUTANTS, planted


def test_it_counts_what_it_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "3", "--start", "5"]) == 0
    assert main(["--exhaustive", "--faults", "0", "--among", "calls"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"random: 3 schedules \(seeds 5 to 7\) in .* 0 violations", said)
    assert "exhaustive, adoption: 1 schedules, all with at most 0 faults" in said
    assert re.search(r"exhaustive: 8 schedules in .* 0 violations", said)


def test_a_violation_is_named_so_that_it_can_be_replayed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bug = next(m for m in MUTANTS if m.name == "give the proxies no time to follow")
    with planted(bug):
        looked = ["--exhaustive", "--faults", "1", "--among", "calls", "--example", "abort"]
        assert main(looked) == 1
        said = capsys.readouterr().out
        named = re.search(r"VIOLATION --among calls --replay '(.*)'\n  (.*)\n", said)
        assert named is not None
        assert main(["--among", "calls", "--replay", named[1]]) == 1
        assert named[2] in capsys.readouterr().out
    assert main(["--among", "calls", "--replay", named[1]]) == 0


def test_what_cannot_be_replayed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--replay", "nope:1"])
    assert ended.value.code == 2
    assert "'nope:1' is not EXAMPLE:0,0,3" in capsys.readouterr().err
