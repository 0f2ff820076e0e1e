"""What no decision may do. Checked on every decision, also in production."""

from __future__ import annotations

from serinus.errors import InvariantViolation
from serinus.release.decision import (
    Decision,
    DeleteCanary,
    DeleteReplicaSet,
    EmptyReplicaSet,
    OrphanCanary,
    ScaleStable,
    SetTraffic,
)
from serinus.release.model import Phase
from serinus.release.observation import Observation
from serinus.traffic.replica_ratio import narrowed_to


def check(obs: Observation, decision: Decision) -> None:
    """Raise InvariantViolation when the decision would hurt somebody."""
    for action in decision.actions:
        match action:
            case SetTraffic():
                _traffic_needs_pods(obs, action)
            case DeleteCanary():
                _never_delete_the_only_revision(obs, decision)
            case OrphanCanary():
                _orphan_only_what_is_whole(obs)
            case DeleteReplicaSet() | EmptyReplicaSet():
                _never_empty_what_is_named(obs, action)
            case ScaleStable():
                _never_scale_stable_to_nothing(obs, action)
            case _:
                pass


def _traffic_needs_pods(obs: Observation, action: SetTraffic) -> None:
    """All traffic may only go where an available pod is (D1, D2, D5)."""
    revision = action.plan.sole_revision
    if revision is None:
        return
    available = sum(rs.available_count for rs in obs.replica_sets if rs.hash == revision)
    if available == 0:
        raise InvariantViolation(
            f"all traffic to revision {revision!r}, which has no available pod"
        )


def _never_delete_the_only_revision(obs: Observation, decision: Decision) -> None:
    if obs.canary is None:
        raise InvariantViolation("delete a canary that is not there")
    service = obs.live.service
    revision = None if service is None else narrowed_to(service)
    own = {rs.hash for rs in obs.owned_by(obs.canary.uid)}
    if revision in own and not any(
        rs.hash == revision and rs.available_count
        for rs in obs.replica_sets
        if rs.owner_uid != obs.canary.uid
    ):
        raise InvariantViolation("delete the canary while all traffic goes to it")
    if decision.status.phase is Phase.HEALTHY:
        raise InvariantViolation("call a release healthy while its canary is being deleted")


def _orphan_only_what_is_whole(obs: Observation) -> None:
    """What is handed over must be saturated: wanted = available = N, and the Deployment held."""
    target, canary = obs.target, obs.canary
    if target is None or canary is None:
        raise InvariantViolation("adopt without both Deployments")
    own = obs.owned_by(canary.uid)
    whole = (
        len(own) == 1
        and own[0].template == target.template
        and own[0].available_count >= target.replica_count
        and own[0].wanted_count == own[0].desired_count == target.replica_count
    )
    if not whole or not target.paused or target.deleting:
        raise InvariantViolation("adopt a canary that is not whole")


def _never_empty_what_is_named(
    obs: Observation, action: DeleteReplicaSet | EmptyReplicaSet
) -> None:
    """Never scale down a revision that a route in force names (D3), nor one that serves."""
    service = obs.live.service
    revision = None if service is None else narrowed_to(service)
    for rs in obs.replica_sets:
        if rs.name != action.name:
            continue
        if rs.hash == revision and (rs.wanted_count or rs.standing_count):
            raise InvariantViolation(f"empty {rs.name} while all traffic goes to it")
        if isinstance(action, DeleteReplicaSet) and (rs.wanted_count or rs.standing_count):
            raise InvariantViolation(f"delete {rs.name}, which has pods")


def _never_scale_stable_to_nothing(obs: Observation, action: ScaleStable) -> None:
    if action.replica_count < 1 and obs.target is not None and obs.target.replica_count > 0:
        raise InvariantViolation("scale stable to nothing")
