"""A driver that is upgraded, or rolled back, in the midst of a release goes on with it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.api import codec
from serinus.errors import InvalidInput
from serinus.release.model import CommandVerb, Phase
from tests.unit.release.stories import NEW, OLD, at_rest, healthy_on, released
from tests.unit.release.world import ReleaseWorld

IN_THE_FIRST = (
    *("phase", "message", "revision", "generation", "stepIndex", "weight", "weightAsked"),
    *("stableHash", "canaryHash", "promotion", "heldByPerson", "pauseUntilTime"),
    *("fullReplicaCount", "startedTime", "waiting", "lastCommand", "history"),
)
"""The fields that a status has had since it was first written into a record."""


def written_by_another(world: ReleaseWorld, change: Any) -> None:
    """Let a driver of another version have written the record."""
    wire = codec.encode(world.stored.release)
    wire["status"] = change(wire["status"])
    release = codec.decode(wire)
    world.stored = msgspec.structs.replace(world.stored, release=release)


def by_the_first(status: dict[str, Any]) -> dict[str, Any]:
    return {field: status[field] for field in IN_THE_FIRST if field in status}


def by_a_newer(status: dict[str, Any]) -> dict[str, Any]:
    return {**status, "verdict": {"mean": 1}, "analysedTime": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("change", [by_the_first, by_a_newer])
def test_a_paused_release_of_another_version_is_promoted(change: Any) -> None:
    world = released("25,pause,50,pause")
    written_by_another(world, change)
    assert world.play_until(Phase.PAUSED).decision.status.step_index == 1
    world.give(CommandVerb.RESUME)
    world.play_until(Phase.PAUSED)
    world.give(CommandVerb.PROMOTE)
    healthy_on(world, NEW, 4)


@pytest.mark.parametrize("change", [by_the_first, by_a_newer])
@pytest.mark.parametrize("round_count", [0, 2, 5, 9, 14])
def test_at_any_moment_of_a_promotion_another_version_goes_on(
    change: Any, round_count: int
) -> None:
    world = at_rest(steps="50", undo_window_ms=60_000)
    world.set_image(NEW)
    for _ in range(round_count):
        world.quiet()
        world.round()
        world.now += 1_000
    written_by_another(world, change)
    healthy_on(world, NEW, 4)


@pytest.mark.parametrize("change", [by_the_first, by_a_newer])
def test_an_aborted_release_of_another_version_stays_aborted(change: Any) -> None:
    world = released("25,pause")
    world.give(CommandVerb.ABORT)
    world.play()
    written_by_another(world, change)
    assert world.play().decision.status.phase is Phase.ABORTED
    assert world.ready() == {OLD: 4}


def test_what_only_a_newer_version_knows_does_not_outlive_the_driver_that_knew_it() -> None:
    """Kept, it would speak of a release that has long ended when the newer version is back."""
    world = released("25,pause")
    written_by_another(world, by_a_newer)
    world.give(CommandVerb.RESUME)
    world.round()
    assert not {"verdict", "analysedTime"} & codec.encode(world.stored.release)["status"].keys()


def test_a_phase_that_only_a_newer_version_knows_is_refused_with_words() -> None:
    world = released("25,pause")
    with pytest.raises(InvalidInput) as refused:
        written_by_another(world, lambda status: {**status, "phase": "Analysing"})
    assert "phase: Invalid enum value 'Analysing'" in str(refused.value)
    assert "it was written by another version of serinus" in str(refused.value)


def test_another_version_of_the_api_is_refused_with_words() -> None:
    wire = codec.encode(released("25,pause").stored.release)
    with pytest.raises(InvalidInput) as refused:
        codec.decode({**wire, "apiVersion": "serinus.dev/v1beta1"})
    assert str(refused.value) == (
        "CanaryRelease: apiVersion: 'serinus.dev/v1beta1' is not 'serinus.dev/v1alpha1'"
    )
