"""What a person may ask of a release, and when."""

from __future__ import annotations

from typing import Any

import pytest

from serinus import errors
from serinus.kubernetes_model.kinds import DEPLOYMENTS
from serinus.release.model import CommandVerb, Outcome, Phase, Promotion
from serinus.traffic.router import Mode
from serinus.traffic.write import Verb, Write
from tests.unit.release.stories import (
    NEW,
    NEWER,
    NO_SURGE,
    OLD,
    answer_of,
    at_rest,
    healthy_on,
    released,
    status_with,
)


def test_abort_in_the_undo_window_brings_the_old_revision_back() -> None:
    world = at_rest(steps="50", undo_window_ms=60_000)
    world.set_image(NEW)
    world.play_to_waiting("WaitingForUndoWindow")
    assert world.served_images() == {NEW}
    world.give(CommandVerb.ABORT)
    assert world.play().decision.status.phase is Phase.ABORTED
    assert world.ready() == {OLD: 4}
    assert [e.outcome for e in world.status.history] == ["Aborted"]


def test_a_weight_down_and_up_by_hand_and_resume_goes_on() -> None:
    world = released("50,pause,50,pause")
    for percent, pods in ((25, 1), (50, 4), (0, 1)):
        world.give(CommandVerb.SET_WEIGHT, weight_bp=percent * 100)
        world.round()
        world.play_to_waiting("WaitingForPerson")
        assert world.ready()[NEW] == pods
    assert world.served_images() == {OLD}
    world.give(CommandVerb.RESUME)
    world.play_until(Phase.PAUSED)
    assert world.ready()[NEW] == 4
    assert world.served_images() == {OLD, NEW}


def test_resume_cuts_a_timed_pause_short() -> None:
    world = at_rest(steps="25,pause:1h")
    world.set_image(NEW)
    world.play_to_waiting("WaitingForPause")
    before = world.now
    world.give(CommandVerb.RESUME)
    healthy_on(world, NEW, 4)
    assert world.now < before + 60_000


def test_skip_leaves_the_last_step_and_then_there_is_none() -> None:
    world = released("25,pause")
    world.give(CommandVerb.SKIP)
    healthy_on(world, NEW, 4)
    world = released("25,pause")
    world.set_status(status_with(world, step_index=2, held_by_person=True))
    world.give(CommandVerb.SKIP)
    world.round()
    assert answer_of(world) == "there is no step left to skip"


def test_retry_tries_the_same_template_again() -> None:
    world = released("25,pause")
    world.give(CommandVerb.ABORT)
    assert world.play().decision.status.phase is Phase.ABORTED
    world.give(CommandVerb.RETRY)
    world.play_until(Phase.PAUSED)
    world.give(CommandVerb.PROMOTE)
    healthy_on(world, NEW, 4)
    assert [e.outcome for e in world.status.history] == ["Aborted", "Promoted"]


def test_undo_after_a_promotion_tries_the_old_template() -> None:
    world = released("25,pause")
    world.give(CommandVerb.PROMOTE)
    healthy_on(world, NEW, 4)
    world.give(CommandVerb.UNDO)
    world.play_until(Phase.PAUSED)
    assert world.ready() == {NEW: 4, OLD: 1}


def test_undo_takes_back_a_rolling_update_that_does_not_become_ready() -> None:
    world = at_rest(steps="25,pause", promotion=Promotion.ROLLING_UPDATE)
    world.set_image(NEW)
    world.play_until(Phase.PAUSED)
    world.broken.add(NEW)
    world.give(CommandVerb.PROMOTE)
    world.play(lambda _: world.wanted().get(NEW, 0) > 1)
    world.give(CommandVerb.UNDO)
    healthy_on(world, OLD, 4)


def test_undo_is_done_though_pods_changed_the_deployment_meanwhile() -> None:
    world = released("25,pause")
    world.give(CommandVerb.UNDO)
    undo = {
        "uid": world.get(DEPLOYMENTS, "shop")["metadata"]["uid"],
        "generation": world.get(DEPLOYMENTS, "shop")["metadata"]["generation"],
    }
    world.round()
    done = world.round()
    assert done is not None
    (write,) = [w for w in world.sent if w.verb is Verb.JSON]
    assert {t["path"].rpartition("/")[2]: t["value"] for t in write.body[:-1]} == undo
    healthy_on(world, OLD, 4)


@pytest.mark.parametrize("moment", ["before it is done", "after it was done"])
@pytest.mark.parametrize("landed", [False, True], ids=["on trial", "after a promotion"])
def test_an_undo_is_done_and_answered_though_its_driver_dies(*, moment: str, landed: bool) -> None:
    world = released("25,pause")
    if landed:
        world.give(CommandVerb.PROMOTE)
        healthy_on(world, NEW, 4)
    given, send = world.give(CommandVerb.UNDO), world.send

    async def die(write: Write) -> None:
        if moment == "after it was done":
            await send(write)
        raise errors.Unavailable("the process ends here")

    world.send = die  # type: ignore[method-assign]  # it dies as it writes, or right after that
    assert world.round() is None
    world.send = send  # type: ignore[method-assign]  # and another one takes over
    if landed:
        world.play_until(Phase.PAUSED)
        assert world.ready() == {NEW: 4, OLD: 1}
    else:
        healthy_on(world, OLD, 4)
    assert world.status.last_command == Outcome(given, CommandVerb.UNDO, accepted=True)


def test_a_command_is_answered_once() -> None:
    world = released("25,pause,50,pause")
    world.give(CommandVerb.RESUME)
    world.play_until(Phase.PAUSED)
    assert world.status.step_index == 3
    for _ in range(3):
        world.round()
    assert world.status.step_index == 3


@pytest.mark.parametrize(
    ("verb", "arguments", "words"),
    [
        (CommandVerb.PROMOTE, {}, "no release is running"),
        (CommandVerb.ABORT, {}, "no release is running"),
        (CommandVerb.PAUSE, {}, "no release is running"),
        (CommandVerb.RESUME, {}, "no release is running"),
        (CommandVerb.SKIP, {}, "no release is running"),
        (CommandVerb.SET_WEIGHT, {"weight_bp": 1}, "no release is running"),
        (CommandVerb.RETRY, {}, "only an aborted release can be tried again"),
        (CommandVerb.UNDO, {}, "there is no earlier revision to go back to"),
        (CommandVerb.ABORT, {"revision": "other"}, "the template changed since"),
        (CommandVerb.ABORT, {"step_index": 3}, "given at step 4, the release is at step 1"),
    ],
)
def test_at_rest_commands_are_refused_with_the_reason(
    verb: CommandVerb, arguments: Any, words: str
) -> None:
    world = at_rest()
    world.give(verb, **arguments)
    world.round()
    assert words in answer_of(world)
    assert not world.sent[1:]


def test_commands_that_do_not_fit_the_moment_are_refused() -> None:
    world = released("25,pause", undo_window_ms=60_000)
    for verb, words in (
        (CommandVerb.RETRY, "only an aborted release"),
        (CommandVerb.SET_WEIGHT, "it names no weight"),
    ):
        world.give(verb)
        world.round()
        assert words in answer_of(world)
    world.give(CommandVerb.PROMOTE)
    world.play_to_waiting("WaitingForUndoWindow")
    for verb, words in (
        (CommandVerb.PAUSE, "abort takes it back"),
        (CommandVerb.RESUME, "not paused"),
        (CommandVerb.SKIP, "no release"),
    ):
        world.give(verb)
        world.round()
        assert words in answer_of(world)
    world.give(CommandVerb.PROMOTE)
    world.round()
    assert answer_of(world) == ""


def test_after_an_abort_the_way_on_is_named() -> None:
    world = released("25,pause")
    world.give(CommandVerb.ABORT)
    world.round()
    world.give(CommandVerb.RETRY)
    world.round()
    assert answer_of(world) == "the abort is still under way"
    world.play()
    world.give(CommandVerb.PROMOTE)
    world.round()
    assert answer_of(world) == "the release was aborted; retry starts it again"
    world.give(CommandVerb.ABORT)
    world.round()
    assert answer_of(world) == ""


def test_during_the_hand_over_abort_and_undo_are_refused() -> None:
    world = at_rest(steps="50")
    world.set_image(NEW)
    world.play(lambda done: any(write.why.startswith("hand the") for write in done.sent))
    for verb in (CommandVerb.ABORT, CommandVerb.UNDO, CommandVerb.PROMOTE):
        world.give(verb)
        world.round()
        assert "cannot be taken back; undo afterwards" in answer_of(world)


def test_pause_holds_a_release_where_it_is() -> None:
    world = at_rest(steps="25,50")
    world.set_image(NEW)
    world.play(lambda done: any(write.verb is Verb.CREATE for write in done.sent))
    world.give(CommandVerb.PAUSE)
    world.play_until(Phase.PAUSED)
    count = len(world.sent)
    world.now += 3_600_000
    for _ in range(3):
        world.round()
    assert len(world.sent) == count
    world.give(CommandVerb.RESUME)
    healthy_on(world, NEW, 4)


def test_a_spec_that_is_paused_holds_a_release_until_it_is_not() -> None:
    world = at_rest(steps="25,50", paused=True)
    world.set_image(NEW)
    world.play_until(Phase.PAUSED)
    world.set_spec(paused=False)
    healthy_on(world, NEW, 4)


def test_a_full_promotion_skips_every_step_and_pause_that_is_left() -> None:
    world = released("25,pause,50,pause:1h,50,pause")
    before = world.now
    world.give(CommandVerb.PROMOTE, full=True)
    healthy_on(world, NEW, 4)
    assert world.now < before + 60_000
    assert [e.outcome for e in world.status.history] == ["Promoted"]


def test_a_full_promotion_waits_for_no_undo_window_and_ends_one_that_is_open() -> None:
    for opened in (False, True):
        world = released("25,pause", undo_window_ms=3_600_000)
        before = world.now
        if opened:
            world.give(CommandVerb.PROMOTE)
            world.play_to_waiting("WaitingForUndoWindow")
        world.give(CommandVerb.PROMOTE, full=True)
        healthy_on(world, NEW, 4)
        assert world.now < before + 60_000


@pytest.mark.parametrize("begun", [False, True])
def test_a_full_promotion_may_be_asked_for_before_the_canary_is_there(begun: bool) -> None:
    # Without surge stable makes room first, so that a release has begun and has no canary yet.
    world = at_rest(steps="25,pause,50,pause", mode=Mode.CONSTANT, strategy=NO_SURGE)
    world.set_image(NEW)
    if begun:
        world.round()
    world.give(CommandVerb.PROMOTE)
    world.round()
    assert answer_of(world) == ("the canary is not there yet; promote --full needs not wait for it")
    world.give(CommandVerb.PROMOTE, full=True)
    world.round()
    assert answer_of(world) == ""
    healthy_on(world, NEW, 4)
    assert [e.outcome for e in world.status.history] == ["Promoted"]


def test_a_full_promotion_is_no_way_around_pods_that_do_not_become_ready() -> None:
    world = at_rest(steps="25,pause", undo_window_ms=60_000)
    world.broken.add(NEW)
    world.set_image(NEW)
    world.round()
    world.give(CommandVerb.PROMOTE, full=True)
    assert world.play().decision.status.phase is Phase.ABORTED
    assert world.ready() == {OLD: 4}
    assert all(write.verb is not Verb.DELETE or "hand the" not in write.why for write in world.sent)


def test_a_full_promotion_is_no_way_around_what_refuses_a_release() -> None:
    world = at_rest(steps="25,pause")
    world.set_spec(service="nobody")
    world.set_image(NEW)
    world.give(CommandVerb.PROMOTE, full=True)
    for _ in range(5):
        world.quiet()
        world.round()
    assert world.status.phase is Phase.DEGRADED
    assert world.canary is None
    assert world.ready() == {OLD: 4}
    world.set_spec(service="shop")
    healthy_on(world, NEW, 4)


def test_a_full_promotion_that_was_asked_for_is_taken_back_by_abort_alone() -> None:
    world = at_rest(steps="25,pause")
    world.set_image(NEW)
    world.round()
    world.give(CommandVerb.PROMOTE, full=True)
    world.round()
    world.give(CommandVerb.PAUSE)
    world.round()
    assert answer_of(world) == "the promotion is under way; abort takes it back"
    world.give(CommandVerb.ABORT)
    assert world.play().decision.status.phase is Phase.ABORTED
    world.give(CommandVerb.RETRY)
    world.play_until(Phase.PAUSED)
    assert world.ready() == {OLD: 4, NEW: 1}


def test_a_template_that_comes_after_a_full_promotion_was_asked_for_has_its_own_trial() -> None:
    world = at_rest(steps="25,pause")
    world.broken.add(NEW)
    world.set_image(NEW)
    world.play(lambda _: world.canary is not None)
    world.give(CommandVerb.PROMOTE, full=True)
    world.round()
    world.set_image(NEWER)
    world.play_until(Phase.PAUSED)
    assert world.ready() == {OLD: 4, NEWER: 1}
