"""What a release shows: its conditions, since when they hold, and the share in force."""

from __future__ import annotations

import msgspec
import pytest

from serinus.api import shown as wire
from serinus.api.codec import Release, decode, encode
from serinus.release.conditions import DEGRADED, Condition, Outlook, with_trouble
from serinus.release.model import CommandVerb, Phase
from tests.unit.release.world import ReleaseWorld, a_spec


def of(outlook: Outlook) -> dict[str, Condition]:
    return {c.type: c for c in outlook.conditions}


def shown(world: ReleaseWorld) -> Outlook:
    return world.stored.release.outlook


def paused_at(steps: str) -> ReleaseWorld:
    world = ReleaseWorld(spec=a_spec(steps))
    world.play()
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    return world


def test_at_rest_a_release_is_ready_and_nothing_else() -> None:
    world = ReleaseWorld(spec=a_spec())
    world.play()
    holds = {name for name, c in of(shown(world)).items() if c.status}
    assert holds == {"Ready"}
    assert shown(world).in_force_weight_bp == 0


def test_on_its_way_a_release_is_progressing_and_says_what_it_waits_for() -> None:
    conditions = of(shown(paused_at("25,pause")))
    assert not conditions["Ready"].status
    assert conditions["Progressing"].status
    assert conditions["Progressing"].reason == "WaitingForPerson"


@pytest.mark.parametrize(
    ("steps", "in_force_bp"),
    [("0,pause", 0), ("25,pause", 2_500), ("50,pause", 5_000), ("100,pause", 10_000)],
)
def test_the_share_in_force_is_what_new_connections_get(steps: str, in_force_bp: int) -> None:
    assert shown(paused_at(steps)).in_force_weight_bp == in_force_bp


def test_a_condition_keeps_its_time_until_it_turns() -> None:
    world = paused_at("25,pause")
    before = of(shown(world))
    world.now += 60_000
    world.give(CommandVerb.RESUME)
    world.play()
    after = of(shown(world))
    assert before["Ready"].since_ms < after["Ready"].since_ms
    assert after["Ready"].status
    assert after["Degraded"].since_ms == before["Degraded"].since_ms


def test_each_finding_is_a_condition_with_what_it_means() -> None:
    world = ReleaseWorld(spec=a_spec("5,pause"))
    world.play()
    condition = of(shown(world))["Weight"]
    assert (condition.status, condition.reason) == (True, "Refused")
    assert "3 replicas cannot express 5 %" in condition.message


def test_what_is_shown_comes_back_from_the_wire_and_a_broken_part_is_made_anew() -> None:
    release = paused_at("25,pause").stored.release
    assert decode(encode(release)).outlook == release.outlook
    broken = encode(release)
    broken["status"]["conditions"] = [{"type": "Ready"}]
    again = decode(broken)
    assert again.outlook == Outlook()
    assert again.status == release.status


def test_a_release_that_was_never_looked_at_shows_nothing() -> None:
    release = Release("shop", "default", a_spec())
    assert set(encode(release)["status"]) == {"phase", "stepIndex", "weight"}
    assert msgspec.structs.replace(release, outlook=Outlook()) == release


def test_trouble_is_one_condition_that_keeps_its_time_and_leaves_the_rest_as_it_was() -> None:
    before = shown(paused_at("25,pause"))
    now = 1_780_000_000_500
    first = with_trouble(before, "Forbidden", "may not", now)
    assert of(first) == {
        **of(before),
        DEGRADED: Condition(
            DEGRADED,
            status=True,
            reason="Forbidden",
            message="may not",
            generation=before.generation,
            since_ms=1_780_000_000_000,
        ),
    }
    assert with_trouble(first, "Forbidden", "may not", now + 60_000) == first
    other = of(with_trouble(first, "Invalid", "another", now + 60_000))[DEGRADED]
    assert (other.reason, other.since_ms) == ("Invalid", 1_780_000_000_000)


def test_trouble_that_is_mended_is_a_condition_no_more() -> None:
    world = paused_at("25,pause")
    release = world.stored.release
    troubled = with_trouble(release.outlook, "Forbidden", "may not", world.now)
    release = msgspec.structs.replace(release, outlook=troubled)
    world.stored = msgspec.structs.replace(world.stored, release=release)
    world.round()
    assert not of(shown(world))[DEGRADED].status


def test_a_status_that_cannot_be_read_is_kept_beside_the_words_about_it() -> None:
    status = {"phase": "Dancing", "stepIndex": 2, "verdict": {"mean": 1}}
    told = wire.with_trouble(status, "Invalid", "phase: odd", 1_780_000_000_000)
    assert told is not None
    assert status.items() <= told.items()
    (condition,) = told["conditions"]
    assert (condition["type"], condition["status"]) == ("Degraded", "True")
    assert (condition["reason"], condition["message"]) == ("Invalid", "phase: odd")
    assert wire.with_trouble(told, "Invalid", "phase: odd", 1_780_000_060_000) is None


def test_a_release_that_never_began_is_degraded_where_it_cannot_be_read() -> None:
    told = wire.with_trouble({}, "Invalid", "spec.steps[0]: odd", 1_780_000_000_000)
    assert told is not None
    assert (told["phase"], told["message"]) == ("Degraded", "spec.steps[0]: odd")
