"""What no decision may do, on observations of a release that is half way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.errors import InvariantViolation
from serinus.release import decision as d
from serinus.release import invariants
from serinus.release.model import Command, CommandVerb, Outcome, Phase, Promotion
from serinus.release.observation import Observation
from serinus.traffic.plan import TrafficPlan
from tests.unit.release.world import ReleaseWorld, a_spec


def half_way(steps: str) -> Observation:
    """Return what is seen when a release has come to its pause."""
    world = ReleaseWorld(spec=a_spec(steps))
    world.play()
    world.set_image("shop:2")
    return world.play_until(Phase.PAUSED).observation


@pytest.fixture(scope="module")
def shared() -> Observation:
    return half_way("50,pause")


@pytest.fixture(scope="module")
def on_canary() -> Observation:
    return half_way("100,pause")


def refuses(obs: Observation, *actions: d.Action, words: str, **status: Any) -> None:
    decided = d.Decision(msgspec.structs.replace(obs.status, **status), actions)
    with pytest.raises(InvariantViolation, match=words):
        invariants.check(obs, decided)


def replaced_sets(obs: Observation, **changes: Any) -> Observation:
    """Return the observation with the canary's ReplicaSet changed."""
    assert obs.canary is not None
    sets = tuple(
        msgspec.structs.replace(rs, **changes) if rs.owner_uid == obs.canary.uid else rs
        for rs in obs.replica_sets
    )
    return msgspec.structs.replace(obs, replica_sets=sets)


def test_traffic_needs_pods(shared: Observation) -> None:
    plan = TrafficPlan.split("old", "none", 10_000)
    refuses(shared, d.SetTraffic(plan), words="'none', which has no available pod")


def test_the_canary_is_not_deleted_while_it_has_all_the_traffic(on_canary: Observation) -> None:
    refuses(on_canary, d.DeleteCanary(), words="while all traffic goes to it")


def test_a_canary_that_is_not_there_is_not_deleted(shared: Observation) -> None:
    gone = msgspec.structs.replace(shared, canary=None)
    refuses(gone, d.DeleteCanary(), words="a canary that is not there")
    refuses(gone, d.OrphanCanary(), words="without both Deployments")


def test_a_release_is_not_healthy_while_its_canary_goes(shared: Observation) -> None:
    refuses(shared, d.DeleteCanary(), words="call a release healthy", phase=Phase.HEALTHY)


@pytest.mark.parametrize(
    "changes",
    [
        {"available_count": 2},
        {"wanted_count": 2},
        {"desired_count": None},
        {"template": "another"},
    ],
)
def test_only_a_whole_canary_is_adopted(shared: Observation, changes: Any) -> None:
    invariants.check(shared, d.Decision(shared.status, (d.OrphanCanary(),)))
    refuses(replaced_sets(shared, **changes), d.OrphanCanary(), words="not whole")


@pytest.mark.parametrize("changes", [{"paused": False}, {"deleting": True}])
def test_only_a_held_deployment_adopts(shared: Observation, changes: Any) -> None:
    assert shared.target is not None
    target = msgspec.structs.replace(shared.target, **changes)
    obs = msgspec.structs.replace(shared, target=target)
    refuses(obs, d.OrphanCanary(), words="not whole")


def test_what_has_the_traffic_or_pods_is_not_emptied(on_canary: Observation) -> None:
    assert on_canary.canary is not None
    (canary_set,) = on_canary.owned_by(on_canary.canary.uid)
    refuses(on_canary, d.EmptyReplicaSet(canary_set.name), words="while all traffic goes to it")
    other = next(rs for rs in on_canary.replica_sets if rs is not canary_set)
    refuses(on_canary, d.DeleteReplicaSet(other.name), words="which has pods")
    invariants.check(on_canary, d.Decision(on_canary.status, (d.EmptyReplicaSet(other.name),)))


def test_an_empty_twin_goes_though_it_has_the_hash_that_has_the_traffic(
    on_canary: Observation,
) -> None:
    empty = replaced_sets(on_canary, wanted_count=0, standing_count=0)
    assert empty.canary is not None
    (twin,) = empty.owned_by(empty.canary.uid)
    invariants.check(empty, d.Decision(empty.status, (d.DeleteReplicaSet(twin.name),)))


def test_stable_is_not_scaled_to_nothing(shared: Observation) -> None:
    refuses(shared, d.ScaleStable(0), words="scale stable to nothing")
    invariants.check(shared, d.Decision(shared.status, (d.ScaleStable(1),)))


def test_the_canary_goes_only_when_no_connection_comes_to_it(shared: Observation) -> None:
    refuses(shared, d.DeleteCanary(), words="while the Service sends to it")
    rolls = {"phase": Phase.PROMOTING, "promotion": Promotion.ROLLING_UPDATE}
    status = msgspec.structs.replace(shared.status, **rolls)
    invariants.check(shared, d.Decision(status, (d.DeleteCanary(),)))


def test_a_canary_that_has_all_the_traffic_does_not_shrink(
    shared: Observation, on_canary: Observation
) -> None:
    refuses(on_canary, d.ScaleCanary(1), words="shrink the canary")
    invariants.check(shared, d.Decision(shared.status, (d.ScaleCanary(1),)))


def test_a_template_that_was_not_tried_is_not_rolled_out_over_pods_that_serve(
    shared: Observation,
) -> None:
    refuses(shared, d.Resume(), words="not tried")
    nobody = tuple(msgspec.structs.replace(rs, available_count=0) for rs in shared.replica_sets)
    dead = msgspec.structs.replace(shared, replica_sets=nobody)
    invariants.check(dead, d.Decision(shared.status, (d.Resume(),)))
    rolls = {"phase": Phase.PROMOTING, "promotion": Promotion.ROLLING_UPDATE}
    status = msgspec.structs.replace(shared.status, **rolls)
    invariants.check(shared, d.Decision(status, (d.Resume(),)))


def asked(obs: Observation, verb: CommandVerb, **changes: Any) -> Observation:
    assert obs.target is not None
    command = Command(id="7", verb=verb, revision=obs.target.template)
    return msgspec.structs.replace(obs, command=msgspec.structs.replace(command, **changes))


def test_the_template_is_set_only_when_a_person_says_undo(shared: Observation) -> None:
    refuses(shared, d.SetTemplate("any"), words="nobody said undo")
    obs = asked(shared, CommandVerb.UNDO)
    invariants.check(obs, d.Decision(obs.status, (d.SetTemplate("any"),)))
    other = asked(shared, CommandVerb.UNDO, revision="another")
    refuses(other, d.SetTemplate("any"), words="not the one to take back")
    answer = Outcome("7", CommandVerb.UNDO, accepted=True)
    status = msgspec.structs.replace(shared.status, last_command=answer)
    again = msgspec.structs.replace(obs, status=status)
    refuses(again, d.SetTemplate("any"), words="nobody said undo")


def test_a_command_acts_once_and_only_on_what_it_names(shared: Observation) -> None:
    answer = Outcome("7", CommandVerb.SKIP, accepted=True)
    refuses(shared, words="was not asked", last_command=answer)
    obs = asked(shared, CommandVerb.SKIP)
    status = msgspec.structs.replace(shared.status, last_command=answer)
    invariants.check(obs, d.Decision(status))
    again = msgspec.structs.replace(obs, status=status)
    other = Outcome("7", CommandVerb.SKIP, accepted=False)
    refuses(again, words="was not asked", last_command=other)
    of_another = asked(shared, CommandVerb.SKIP, revision="another")
    refuses(of_another, words="revision that it does not name", last_command=answer)
    of_step = asked(shared, CommandVerb.SKIP, step_index=5)
    refuses(of_step, words="step that it does not name", last_command=answer)
