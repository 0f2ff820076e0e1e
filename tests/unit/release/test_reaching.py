"""What somebody who waits for a phase is told, at any moment of a release."""

from __future__ import annotations

import msgspec
import pytest

from serinus.controller.observe import observe
from serinus.controller.reconcile import Round
from serinus.release.conditions import with_trouble
from serinus.release.model import CommandVerb, Phase
from serinus.release.stages.reaching import Reach, reach, trouble
from tests.unit.release.stories import NEW, NEWER, OLD, at_rest, released
from tests.unit.release.world import ReleaseWorld, finished


def asked(world: ReleaseWorld, goal: Phase) -> Reach:
    release = world.stored.release
    seen = observe(release, finished(world.read(release.spec))).observation
    return reach(seen, release.outlook, goal, generation=release.generation)


def test_whoever_waits_through_a_whole_release_hears_the_end_and_nothing_before_it() -> None:
    world = at_rest(steps="25,pause:10s,50")
    world.set_image(NEW)
    heard = [asked(world, Phase.HEALTHY)]

    def hears(done: Round) -> bool:
        heard.append(asked(world, Phase.HEALTHY))
        return done.at_rest

    world.play(hears)
    assert heard.index(Reach.THERE) > 10
    assert set(heard) == {Reach.ON_ITS_WAY, Reach.THERE}
    assert world.ready() == {NEW: 4}


def test_a_template_that_was_changed_a_moment_ago_is_not_healthy_yet() -> None:
    world = at_rest()
    assert asked(world, Phase.HEALTHY) is Reach.THERE
    world.set_image(NEW)
    assert world.status.phase is Phase.HEALTHY
    assert asked(world, Phase.HEALTHY) is Reach.ON_ITS_WAY
    assert asked(world, Phase.PAUSED) is Reach.ON_ITS_WAY


def test_a_release_that_is_paused_is_there_and_may_still_get_healthy() -> None:
    world = released("25,pause")
    assert asked(world, Phase.PAUSED) is Reach.THERE
    assert asked(world, Phase.HEALTHY) is Reach.ON_ITS_WAY
    assert asked(world, Phase.ABORTED) is Reach.ON_ITS_WAY


def test_who_waits_for_healthy_hears_of_an_abort_when_it_begins() -> None:
    world = released("25,pause")
    world.give(CommandVerb.ABORT)
    assert asked(world, Phase.HEALTHY) is Reach.ON_ITS_WAY
    world.round()
    assert world.status.phase is Phase.ABORTING
    assert asked(world, Phase.HEALTHY) is Reach.OUT_OF_REACH
    assert asked(world, Phase.ABORTED) is Reach.ON_ITS_WAY
    world.play()
    assert asked(world, Phase.ABORTED) is Reach.THERE
    assert asked(world, Phase.HEALTHY) is Reach.OUT_OF_REACH


@pytest.mark.parametrize("image", [OLD, NEWER])
def test_after_an_abort_another_template_may_get_healthy(image: str) -> None:
    world = released("25,pause")
    world.give(CommandVerb.ABORT)
    world.play()
    world.set_image(image)
    assert asked(world, Phase.HEALTHY) is not Reach.OUT_OF_REACH
    assert asked(world, Phase.ABORTED) is Reach.ON_ITS_WAY


def test_at_rest_nothing_but_a_new_template_leads_to_a_pause() -> None:
    assert asked(at_rest(), Phase.PAUSED) is Reach.OUT_OF_REACH


def test_a_template_that_was_set_back_is_on_its_way_to_healthy() -> None:
    world = released("25,pause")
    world.set_image(OLD)
    for _ in range(2):
        assert asked(world, Phase.HEALTHY) is Reach.ON_ITS_WAY
        world.round()
    assert world.status.phase is Phase.ABORTING
    world.play()
    assert asked(world, Phase.HEALTHY) is Reach.THERE


def test_a_command_that_has_no_answer_yet_may_change_everything() -> None:
    world = released("25,pause")
    world.give(CommandVerb.RESUME)
    assert asked(world, Phase.PAUSED) is Reach.ON_ITS_WAY


def test_a_spec_that_nobody_has_looked_at_yet_says_nothing() -> None:
    world = at_rest()
    release = msgspec.structs.replace(world.stored.release, generation=1)
    world.stored = msgspec.structs.replace(world.stored, release=release)
    assert asked(world, Phase.HEALTHY) is Reach.ON_ITS_WAY


def test_what_refuses_a_release_is_the_end_until_it_is_mended() -> None:
    world = at_rest(steps="25,pause")
    world.set_spec(service="nobody")
    world.set_image(NEW)
    world.round()
    assert asked(world, Phase.HEALTHY) is Reach.OUT_OF_REACH
    assert asked(world, Phase.DEGRADED) is Reach.THERE
    world.set_spec(service="shop")
    assert asked(world, Phase.HEALTHY) is Reach.ON_ITS_WAY


def test_trouble_is_told_and_goes_on_when_it_is_mended() -> None:
    world = released("25,pause")
    release = world.stored.release
    shown = with_trouble(release.outlook, "Forbidden", "may not", world.now)
    world.stored = msgspec.structs.replace(
        world.stored, release=msgspec.structs.replace(release, outlook=shown)
    )
    assert asked(world, Phase.HEALTHY) is Reach.ON_ITS_WAY
    hurdle = trouble(shown)
    assert hurdle is not None
    assert (hurdle.reason, hurdle.message) == ("Forbidden", "may not")
    assert trouble(release.outlook) is None
