"""One round: the status is saved first, then the writes go out in order until one fails."""

from __future__ import annotations

import pytest

from serinus import errors
from serinus.controller.ports import Stored
from serinus.controller.reconcile import reconcile
from serinus.release.model import CommandVerb, Phase
from serinus.traffic.write import Write
from tests.unit.release.world import ReleaseWorld, a_spec, finished


def world_that_notes() -> tuple[ReleaseWorld, list[str]]:
    order: list[str] = []

    class World(ReleaseWorld):
        async def save(self, stored: Stored) -> Stored:
            order.append("save")
            return await super().save(stored)

        async def send(self, write: Write) -> None:
            order.append(write.why)
            await super().send(write)

    return World(spec=a_spec("25,pause")), order


def test_a_release_that_has_no_record_is_not_found() -> None:
    world = ReleaseWorld()

    async def load(_: str) -> None:
        return None

    world.load = load  # type: ignore[method-assign]  # a cluster without the record
    with pytest.raises(errors.NotFound, match="no record of a release called shop"):
        finished(reconcile(world, "shop", world.now))


def test_the_status_is_saved_before_anything_is_written() -> None:
    world, order = world_that_notes()
    world.play()
    assert order[0] == "save"
    assert order[1].startswith("hold")


def test_nothing_is_saved_where_nothing_changed() -> None:
    world, order = world_that_notes()
    world.play()
    order.clear()
    world.round()
    assert order == []


def test_an_answer_is_saved_before_it_is_acted_on() -> None:
    world, order = world_that_notes()
    world.play()
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    order.clear()
    world.give(CommandVerb.ABORT)
    world.round()
    assert order == ["save"]
    assert world.status.last_command is not None


def test_an_undo_that_comes_after_another_change_is_refused_as_a_conflict() -> None:
    """The driver reads again and goes on; as an invalid object it would end it."""
    world = ReleaseWorld(spec=a_spec("25,pause"))
    world.play()
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    send = world.send

    async def late(write: Write) -> None:
        world.set_image("shop:3")
        await send(write)

    world.send = late  # type: ignore[method-assign]  # somebody else is faster
    world.give(CommandVerb.UNDO)
    with pytest.raises(errors.Conflict, match="Deployment default/shop changed"):
        finished(reconcile(world, "shop", world.now))


def test_writes_behind_one_that_failed_are_not_sent() -> None:
    world = ReleaseWorld(spec=a_spec("25,pause"))
    world.play()
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    count = len(world.sent)
    send, tried = world.send, []

    async def refuse(write: Write) -> None:
        tried.append(write)
        raise errors.Conflict("somebody was faster")

    world.send = refuse  # type: ignore[method-assign]  # a cluster that refuses
    world.give(CommandVerb.ABORT)
    world.round()
    assert world.round() is None
    assert len(tried) == 1
    assert len(world.sent) == count
    world.send = send  # type: ignore[method-assign]  # and then does not
    assert world.play().decision.status.phase is Phase.ABORTED


def test_a_round_rests_only_when_nothing_is_under_way() -> None:
    world = ReleaseWorld(spec=a_spec("25,pause"))
    done = world.play()
    assert done.at_rest
    assert not done.sent
    assert not world.rounds[0].at_rest
