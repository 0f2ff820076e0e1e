"""What no decision may do, on observations of a release that is half way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.errors import InvariantViolation
from serinus.release import decision as d
from serinus.release import invariants
from serinus.release.model import Phase
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
