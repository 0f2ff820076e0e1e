"""What the operator makes of rivals, of failures and of the time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus import errors
from serinus.api.codec import Release
from serinus.controller.operator import judgement
from serinus.controller.operator.judgement import Trouble, look_again_ms, refused, rival_of
from serinus.controller.reconcile import Round
from serinus.release.conditions import DEGRADED
from serinus.release.model import Phase
from tests.unit.release.stories import at_rest, released
from tests.unit.release.world import a_spec

NOW = 1_780_000_000_000


def a_release(name: str, created: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": created}}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.Unavailable("no answer"), None),
        (errors.Conflict("changed"), None),
        (errors.Gone("too old"), None),
        (errors.NotFound("not there yet"), None),
        (errors.AlreadyExists("there already"), None),
        (
            errors.Forbidden("cannot patch services"),
            Trouble("Forbidden", "the API server refuses: cannot patch services"),
        ),
        (errors.Invalid("quota"), Trouble("Invalid", "the API server refuses: quota")),
        (
            errors.InvalidInput("CanaryRelease", ["spec.steps[0]: odd"]),
            Trouble("Invalid", "CanaryRelease: spec.steps[0]: odd"),
        ),
        (
            errors.InvariantViolation("empty it"),
            Trouble(
                "InvariantViolation",
                "frozen: serinus was about to do wrong (empty it); please report it",
            ),
        ),
        (KeyError("uid"), Trouble("Defect", "KeyError: 'uid'")),
    ],
)
def test_a_failure_is_tried_again_or_is_for_a_person_to_mend(
    error: Exception, expected: Trouble | None
) -> None:
    assert judgement.trouble_of(error) == expected


def test_of_two_releases_of_a_deployment_the_older_one_is_right() -> None:
    older = a_release("b", "2026-01-01T00:00:00Z")
    younger = a_release("a", "2026-01-02T00:00:00Z")
    for both in ([older, younger], [younger, older]):
        assert rival_of("a", both) == "b"
        assert rival_of("b", both) == ""


def test_of_two_that_were_made_in_one_second_the_name_decides() -> None:
    both = [a_release(name, "2026-01-01T00:00:00Z") for name in ("b", "a")]
    assert (rival_of("a", both), rival_of("b", both)) == ("", "a")


def test_alone_a_release_has_no_rival() -> None:
    assert rival_of("a", []) == rival_of("a", [a_release("a", "2026-01-01T00:00:00Z")]) == ""


def test_a_second_release_is_refused_once_with_the_name_of_the_first() -> None:
    release = Release("second", "web", a_spec())
    told = refused(release, "first", NOW)
    assert told is not None
    assert told.status.phase is Phase.DEGRADED
    assert "CanaryRelease first is older and names Deployment shop too" in told.status.message
    (condition,) = told.outlook.conditions
    assert (condition.type, condition.reason) == (DEGRADED, "TwoReleases")
    assert refused(told, "first", NOW + 60_000) is None
    assert refused(told, "another", NOW) is not None


def rounds() -> tuple[Round, Round]:
    """Return a round that rests and one that waits for a person."""
    resting = at_rest().rounds[-1]
    waiting = released("25,pause")
    waiting.round()
    return resting, waiting.rounds[-1]


def test_a_release_at_rest_is_looked_at_when_the_world_changes() -> None:
    resting, paused = rounds()
    assert look_again_ms(resting, None, NOW) is None
    assert look_again_ms(paused, None, NOW) == judgement.RECHECK_MS, "something may be missed"


def test_the_earlier_of_a_deadline_and_of_what_is_to_be_shown_counts() -> None:
    resting, _ = rounds()
    decision = msgspec.structs.replace(resting.decision, wake_at=NOW + 5_000)
    done = msgspec.structs.replace(resting, decision=decision)
    assert look_again_ms(done, None, NOW) == 5_000
    assert look_again_ms(done, NOW + 200, NOW) == 200
    assert look_again_ms(done, None, NOW + 9_000) == 0
    assert look_again_ms(done, None, NOW - 3_600_000) == judgement.RECHECK_MS
