"""One round: the status is saved first, then the writes go out in order until one fails."""

from __future__ import annotations

import msgspec
import pytest

from serinus import errors
from serinus.controller.observe import controller_uid
from serinus.controller.ports import Snapshot, Stored
from serinus.controller.reconcile import reconcile
from serinus.kubernetes_model.kinds import DEPLOYMENTS
from serinus.release.model import CommandVerb, Phase, Spec
from serinus.traffic.plan import Manifest
from serinus.traffic.router import Mode
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


def test_a_deployment_that_is_older_than_its_record_knows_it_is_not_acted_on() -> None:
    """A standby whose watch lags would take what the leader before scaled it to for a new N."""
    world = ReleaseWorld(replicas=4, spec=a_spec("50,75,pause", mode=Mode.CONSTANT))
    world.play()
    world.set_image("shop:2")
    world.play(lambda _: world.get(DEPLOYMENTS, "shop")["spec"]["replicas"] == 2)
    before = world.get(DEPLOYMENTS, "shop")
    world.play_until(Phase.PAUSED)
    read, sent = world.read, len(world.sent)

    async def late(spec: Spec) -> Snapshot:
        return msgspec.structs.replace(await read(spec), target=before)

    world.read = late  # type: ignore[method-assign]  # a watch that lags
    with pytest.raises(errors.Conflict, match="older than its record knows it"):
        finished(reconcile(world, "shop", world.now))
    assert len(world.sent) == sent
    world.read = read  # type: ignore[method-assign]  # and has caught up
    world.give(CommandVerb.PROMOTE)
    assert world.play().decision.status.phase is Phase.HEALTHY
    assert world.ready() == {"shop:2": 4}


def test_a_release_is_not_forgotten_while_the_api_server_has_a_canary_that_no_cache_shows() -> None:
    world = ReleaseWorld(spec=a_spec("25,pause"))
    world.play()
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    canary, read = world.canary, world.read
    assert canary is not None

    async def late(spec: Spec) -> Snapshot:
        """Show no trace of the canary: it came while the watches stood still."""
        seen = await read(spec)
        names = {rs["metadata"]["name"] for rs in seen.replica_sets if _is_under(rs, canary)}
        return msgspec.structs.replace(
            seen,
            deployments=tuple(d for d in seen.deployments if d != canary),
            replica_sets=tuple(r for r in seen.replica_sets if r["metadata"]["name"] not in names),
            pods=tuple(
                p for p in seen.pods if p["metadata"]["ownerReferences"][0]["name"] not in names
            ),
        )

    world.read = late  # type: ignore[method-assign]  # watches that lag
    world.delete_release()
    for _ in range(8):
        world.round()
    with pytest.raises(errors.Conflict, match=r"Deployment shop-rev2 is still there"):
        finished(reconcile(world, "shop", world.now))
    world.read = read  # type: ignore[method-assign]  # and have caught up
    world.play(lambda done: done.decision.gone)
    assert world.forgotten
    assert world.canary is None


def _is_under(found: Manifest, owner: Manifest) -> bool:
    return bool(controller_uid(found) == owner["metadata"]["uid"])
