"""What no decision may do. Checked on every decision, also in production."""

from __future__ import annotations

from serinus.errors import InvariantViolation
from serinus.release.decision import (
    Decision,
    DeleteCanary,
    DeleteReplicaSet,
    EmptyReplicaSet,
    OrphanCanary,
    Resume,
    ScaleCanary,
    ScaleStable,
    SetTemplate,
    SetTraffic,
)
from serinus.release.model import CommandVerb, Phase, Promotion
from serinus.release.observation import Observation
from serinus.release.stages.commands import is_undone


def check(obs: Observation, decision: Decision) -> None:
    """Raise InvariantViolation when the decision would hurt somebody."""
    _answer_what_is_asked(obs, decision)
    _forget_only_what_is_gone(obs, decision)
    for action in decision.actions:
        match action:
            case SetTraffic():
                _traffic_needs_pods(obs, action)
            case DeleteCanary():
                _never_delete_the_only_revision(obs, decision)
                _take_the_traffic_first(obs, decision)
            case OrphanCanary():
                _orphan_only_what_is_whole(obs)
            case DeleteReplicaSet() | EmptyReplicaSet():
                _never_empty_what_is_named(obs, action)
            case ScaleStable():
                _never_scale_stable_to_nothing(obs, action)
            case ScaleCanary():
                _never_shrink_what_has_everything(obs, decision, action)
            case Resume():
                _resume_only_what_was_tried(obs, decision)
            case SetTemplate():
                _set_the_template_only_when_told(obs, decision)
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
    revision = obs.spec.routed_by.sole_revision(obs.live)
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
    revision = obs.spec.routed_by.sole_revision(obs.live)
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


def _answer_what_is_asked(obs: Observation, decision: Decision) -> None:
    """A command acts at most once, and only on the revision and step that it names (D7)."""
    answer, command, target = decision.status.last_command, obs.command, obs.target
    if answer is None or answer == obs.status.last_command:
        return
    before = obs.status.last_command
    if command is None or answer.id != command.id or (before and before.id == command.id):
        raise InvariantViolation(f"answer {answer.verb.value}, which was not asked")
    if not answer.accepted:
        return
    if target is not None and command.revision != target.template and not is_undone(obs, command):
        raise InvariantViolation(f"{command.verb.value} a revision that it does not name")
    if command.step_index not in (None, obs.status.step_index):
        raise InvariantViolation(f"{command.verb.value} a step that it does not name")


def _forget_only_what_is_gone(obs: Observation, decision: Decision) -> None:
    """With the record goes all that knows what must be put back."""
    if not decision.gone:
        return
    if obs.canary is not None:
        raise InvariantViolation("forget a release whose canary is there")
    if obs.spec.routed_by.sole_revision(obs.live) is not None:
        raise InvariantViolation("forget a release that gives one revision everything")


def _set_the_template_only_when_told(obs: Observation, decision: Decision) -> None:
    """An undo sets it as long as it is not answered, and takes back only what it names."""
    command, last, target = obs.command, decision.status.last_command, obs.target
    told = command is not None and command.verb is CommandVerb.UNDO
    if command is None or not told or (last is not None and last.id == command.id):
        raise InvariantViolation("set the template though nobody said undo")
    if target is not None and command.revision != target.template:
        raise InvariantViolation("set the template though it is not the one to take back")


def _take_the_traffic_first(obs: Observation, decision: Decision) -> None:
    """Pods of the canary are told to stop when no connection comes to them any more (D6)."""
    service = obs.live.service
    status = decision.status
    rolls = status.phase is Phase.PROMOTING and status.promotion is Promotion.ROLLING_UPDATE
    nobody = obs.target is None or obs.target.replica_count == 0
    if service is None or rolls or nobody or not obs.narrowable:
        return
    if obs.spec.routed_by.sole_revision(obs.live) is None:
        raise InvariantViolation("delete the canary while the Service sends to it")


def _never_shrink_what_has_everything(
    obs: Observation, decision: Decision, action: ScaleCanary
) -> None:
    """Never scale down a revision that a route in force names (D3)."""
    canary, service, target = obs.canary, obs.live.service, obs.target
    if canary is None or service is None or target is None:
        return
    own = {rs.hash for rs in obs.owned_by(canary.uid)}
    fewest = target.replica_count
    if decision.status.full_replica_count is not None:
        fewest = min(fewest, decision.status.full_replica_count)
    shrinks = action.replica_count < min(canary.replica_count, fewest)
    if shrinks and obs.spec.routed_by.sole_revision(obs.live) in own:
        raise InvariantViolation("shrink the canary while all traffic goes to it")


def _resume_only_what_was_tried(obs: Observation, decision: Decision) -> None:
    """A template that nobody tried rolls out only where no running pod could be protected."""
    target, status = obs.target, decision.status
    if target is None:
        raise InvariantViolation("resume a Deployment that is not there")
    if status.phase is Phase.PROMOTING and status.promotion is Promotion.ROLLING_UPDATE:
        return
    own = [rs for rs in obs.owned_by(target.uid) if rs.wanted_count or rs.standing_count]
    serving = [rs for rs in own if rs.available_count]
    harmless = (
        target.replica_count == 0
        or not serving
        or any(rs.template == target.template for rs in own)
        or any(rs.restart_template == target.restart_template for rs in own)
    )
    if not harmless:
        raise InvariantViolation("roll out a template that was not tried, over pods that serve")
