"""The trial itself: create the canary, walk the steps, and promote.

A weight is reached when the pods for it are available and the route is in force. Raising waits for
pods first and moves traffic then; lowering moves traffic first and takes pods then.
"""

from __future__ import annotations

from serinus.release.capacity import Fleet, Move, next_move
from serinus.release.decision import (
    CreateCanary,
    DeleteReplicaSet,
    Reason,
    ScaleCanary,
)
from serinus.release.model import Pause, Phase, Progress, Promotion, SetWeight, Spec, Status
from serinus.release.observation import Target
from serinus.release.stages import hold, promotion
from serinus.release.stages.draft import Draft
from serinus.release.stages.full_count import arrived, full_count, scale_stable, staying_count
from serinus.release.stages.route import follow, plan_before_canary, plan_for
from serinus.release.words import counted, seconds
from serinus.traffic.plan import WEIGHT_BP_MAX
from serinus.traffic.router import Capacity, Mode


def weight_at(spec: Spec, step_index: int) -> int:
    """Return the weight that steps up to and including `step_index` ask for."""
    weight_bp = 0
    for step in spec.steps[: step_index + 1]:
        if isinstance(step, SetWeight):
            weight_bp = step.weight_bp
    return weight_bp


def asked_weight(spec: Spec, status: Status) -> int:
    """Return the weight that the release should have now."""
    if status.weight_asked_bp is not None:
        return status.weight_asked_bp
    return weight_at(spec, status.step_index)


def start(draft: Draft) -> None:
    """Begin a release: twins away, route prepared, canary created."""
    obs, stable, target = draft.obs, draft.stable, draft.target
    arrived(draft)
    blocking = [f for f in obs.findings if f.blocking]
    if blocking:
        draft.set(phase=Phase.DEGRADED, message="; ".join(f.message for f in blocking))
        if obs.status.phase is not Phase.DEGRADED:
            draft.warn(Reason.REFUSED, draft.status.message)
        return
    if draft.status.phase is Phase.DEGRADED:
        draft.set(phase=Phase.PROGRESSING, message="")
    open_release(draft)
    # The hold comes before everything: an unheld template rolls out by itself.
    hold.keep(draft)
    hold.hand_over(draft)
    if _cleanup_pending(draft):
        return
    weight_bp = asked_weight(obs.spec, draft.status)
    plan = plan_before_canary(obs, stable.hash, weight_bp)
    if plan is not None and not draft.follow(follow(obs, plan, draft.now)):
        return
    count = _goal(draft, target, weight_bp).canary
    n = full_count(draft.status, target)
    if obs.spec.mode is Mode.CONSTANT:
        count = min(count, 1 if target.surge else 0) or 0
        draft.set(full_replica_count=n, stable_replica_count=target.replica_count)
        if count == 0:
            _constant_first_room(draft, target)
            return
    draft.act(CreateCanary(replica_count=count))
    draft.note(Reason.CANARY_CREATED, f"canary with {counted(count, 'pod')}")
    draft.set(progress=Progress(0, count, draft.now + target.progress_deadline_ms))
    draft.wait(Reason.WAITING_FOR_PODS, f"0 of {count} canary pods are available")


def _constant_first_room(draft: Draft, target: Target) -> None:
    """Make room for the first canary pod where the total may not exceed N."""
    n = full_count(draft.status, target)
    if target.replica_count == n:
        scale_stable(draft, n - 1)
        draft.note(Reason.STABLE_SCALED, f"stable to {n - 1} pods to make room for the canary")
    else:
        draft.act(CreateCanary(replica_count=1))
        draft.note(Reason.CANARY_CREATED, "canary with 1 pod")


def open_release(draft: Draft) -> None:
    """Begin the release of the present template, unless it has begun."""
    target = draft.target
    if draft.status.started_ms is None or draft.status.revision != target.template:
        draft.close("Replaced", "the template was changed to another one")
        draft.set(**_fresh(draft))
        draft.note(Reason.STARTED, f"a release of {target.name} begins")
    draft.remember_target()


def _fresh(draft: Draft) -> dict[str, object]:
    """Return the status fields of a release at its beginning."""
    return {
        "phase": Phase.PROGRESSING,
        "message": "",
        "step_index": 0,
        "weight_bp": 0,
        "weight_asked_bp": None,
        "stable_hash": draft.stable.hash,
        "canary_hash": "",
        "promotion": None,
        "promote_full": False,
        "pause_until_ms": None,
        "undo_until_ms": None,
        "progress": None,
        "landing_since_ms": None,
        "started_ms": draft.now,
    }


def _cleanup_pending(draft: Draft) -> bool:
    """Delete twins and wait until nothing of an earlier canary is left."""
    obs, view = draft.obs, draft.view
    for twin in view.twins:
        draft.act(DeleteReplicaSet(name=twin.name))
        draft.note(Reason.TWIN_DELETED, f"ReplicaSet {twin.name} is empty and has this template")
    leftovers = [
        rs for rs in obs.replica_sets if obs.target is not None and rs.owner_uid != obs.target.uid
    ]
    if view.twins or leftovers or obs.canary is not None:
        names = [rs.name for rs in (*view.twins, *leftovers)]
        draft.wait(Reason.WAITING_FOR_CLEANUP, f"until {', '.join(names) or 'the canary'} is gone")
        return True
    return False


def _goal(draft: Draft, target: Target, weight_bp: int) -> Capacity:
    spec = draft.obs.spec
    n = full_count(draft.status, target)
    goal = spec.routed_by.capacity(n, weight_bp, mode=spec.mode, surge=target.surge)
    # At weight 0 one canary runs all the same: to be looked at before users meet it.
    canary = max(goal.canary, min(n, 1))
    if spec.mode is Mode.SURGE:
        return Capacity(stable=goal.stable, canary=canary)
    room = n + (1 if target.surge else 0) - canary
    return Capacity(stable=min(goal.stable, max(1, room)), canary=canary)


def trial(draft: Draft) -> None:
    """Walk towards the weight of the present step; at the last, promote."""
    obs, target = draft.obs, draft.target
    arrived(draft)
    if draft.view.canary is not None:
        draft.set(canary_hash=draft.view.canary.hash)
    draft.set(stable_hash=draft.stable.hash)
    draft.remember_target()
    if draft.status.started_ms is None:
        draft.set(started_ms=draft.now)
    if draft.status.phase in (Phase.HEALTHY, Phase.DEGRADED, Phase.ABORTED):
        draft.set(phase=Phase.PROGRESSING, message="")
    if not promotion.rolls_out(draft.status):
        hold.keep(draft)
        hold.hand_over(draft)
    if _deadline_exceeded(draft, target):
        return
    if draft.status.phase is Phase.PROMOTING:
        _promote(draft, target)
        return
    if draft.status.promote_full:
        promotion.begin(draft)
        return
    if obs.spec.paused or draft.status.held_by_person:
        draft.set(phase=Phase.PAUSED)
        # A weight that a person sets is gone to at once; what stays is the release.
        asked_bp = draft.status.weight_asked_bp
        if obs.spec.paused or asked_bp is None or reach(draft, asked_bp):
            draft.wait(Reason.WAITING_FOR_PERSON, "paused: resume to go on")
        return
    if reach(draft, asked_weight(obs.spec, draft.status)):
        _advance(draft)


def _promote(draft: Draft, target: Target) -> None:
    """Give the canary everything and hand it over, or let the Deployment roll out by itself."""
    why_not = promotion.why_not_adopt(draft, target)
    if why_not and draft.status.promotion is Promotion.ADOPT:
        draft.set(promotion=Promotion.ROLLING_UPDATE)
        draft.warn(Reason.ADOPTION_NOT_POSSIBLE, f"{why_not}: a rolling update instead")
    if draft.status.promotion is Promotion.ROLLING_UPDATE:
        promotion.roll(draft)
    elif _all_on_canary(draft, target):
        promotion.adopt(draft, full_count(draft.status, target))


def _all_on_canary(draft: Draft, target: Target) -> bool:
    """Return whether N canary pods (in Constant mode what fits) have all the traffic."""
    obs, canary, pods = draft.obs, draft.canary, draft.view.canary
    n = full_count(draft.status, target)
    if canary.replica_count != n:
        return reach(draft, WEIGHT_BP_MAX)
    available = pods.available_count if pods else 0
    if available < n:
        _wait_for_pods(draft, target, available, n)
        return False
    draft.set(progress=None, weight_bp=WEIGHT_BP_MAX)
    plan = plan_for(obs, draft.status.stable_hash, draft.status.canary_hash, WEIGHT_BP_MAX)
    return draft.follow(follow(obs, plan, draft.now))


def reach(draft: Draft, weight_bp: int) -> bool:
    """Take the next move towards a weight; return whether pods and traffic are there."""
    obs, target, canary = draft.obs, draft.target, draft.canary
    stable_set, canary_set = draft.stable, draft.view.canary
    goal = _goal(draft, target, weight_bp)
    available = canary_set.available_count if canary_set else 0
    plan = plan_for(
        obs,
        stable_set.hash,
        draft.status.canary_hash,
        weight_bp,
        with_rules=draft.status.phase is not Phase.PROMOTING and obs.spec.has_rules,
    )
    lowering = canary.replica_count > goal.canary
    if obs.spec.mode is Mode.CONSTANT and _must_share(draft, target, weight_bp):
        wide = plan_for(obs, stable_set.hash, draft.status.canary_hash, WEIGHT_BP_MAX // 2)
        if not draft.follow(follow(obs, wide, draft.now)):
            return False
        if weight_bp == 0:
            if _scaled(draft, goal):
                draft.wait(Reason.WAITING_FOR_PODS, "until stable can take all the users back")
            return False
    if lowering:
        draft.set(weight_bp=weight_bp)
        if not draft.follow(follow(obs, plan, draft.now)):
            return False
    if not _scaled(draft, goal):
        return False
    if available < goal.canary:
        _wait_for_pods(draft, target, available, goal.canary)
        return False
    draft.set(progress=None, weight_bp=weight_bp)
    return draft.follow(follow(obs, plan, draft.now))


def _must_share(draft: Draft, target: Target, weight_bp: int) -> bool:
    """Tell whether both revisions must serve on the way: neither alone has the pods for all."""
    obs, pods = draft.obs, draft.view.canary
    narrowed = obs.spec.routed_by.sole_revision(obs.live)
    if pods is None or pods.available_count == 0:
        return False
    if weight_bp == WEIGHT_BP_MAX:
        return narrowed != pods.hash
    if weight_bp == 0:
        n = full_count(draft.status, target)
        fewest = n if target.surge else n - 1
        return narrowed != draft.stable.hash and staying_count(draft.stable, target) < fewest
    return True


def _scaled(draft: Draft, goal: Capacity) -> bool:
    """Scale towards `goal`; return whether both sides want what they should."""
    obs, target, canary = draft.obs, draft.target, draft.canary
    stable_set, canary_set = draft.stable, draft.view.canary
    n = full_count(draft.status, target)
    fleet = Fleet(
        stable_wanted=target.replica_count,
        stable_available=stable_set.available_count,
        canary_wanted=canary.replica_count,
        canary_available=canary_set.available_count if canary_set else 0,
    )
    move = next_move(fleet, goal, replica_count=n, mode=obs.spec.mode, surge=target.surge)
    if move.move is Move.CANARY:
        draft.act(ScaleCanary(replica_count=move.replica_count))
        draft.note(Reason.CANARY_SCALED, f"canary to {counted(move.replica_count, 'pod')}")
        if move.replica_count > canary.replica_count:
            _wait_for_pods(draft, target, fleet.canary_available, move.replica_count)
        else:
            draft.wait(
                Reason.WAITING_FOR_PODS, f"canary scales to {counted(move.replica_count, 'pod')}"
            )
        return False
    if move.move is Move.STABLE:
        scale_stable(draft, move.replica_count)
        draft.note(Reason.STABLE_SCALED, f"stable to {counted(move.replica_count, 'pod')}")
        draft.wait(
            Reason.WAITING_FOR_PODS, f"stable scales to {counted(move.replica_count, 'pod')}"
        )
        return False
    if move.move is Move.WAIT:
        _wait_for_pods(draft, target, fleet.canary_available, canary.replica_count)
        return False
    return True


def _wait_for_pods(draft: Draft, target: Target, available: int, wanted: int) -> None:
    """Wait, and remember until when the pods must have got further."""
    before = draft.status.progress
    moved = before is None or (before.available_count, before.wanted_count) != (available, wanted)
    if before is None or moved:
        before = Progress(available, wanted, draft.now + target.progress_deadline_ms)
        draft.set(progress=before)
    draft.wake(before.deadline_ms)
    draft.wait(Reason.WAITING_FOR_PODS, f"{available} of {wanted} canary pods are available")


def _deadline_exceeded(draft: Draft, target: Target) -> bool:
    progress = draft.status.progress
    canary_set = draft.view.canary
    if progress is None:
        return False
    if draft.now < progress.deadline_ms:
        draft.wake(progress.deadline_ms)
        return False
    if canary_set is not None and canary_set.available_count > progress.available_count:
        return False
    message = (
        f"{progress.available_count} of {progress.wanted_count} canary pods became available and "
        f"none followed within {target.progress_deadline_ms // 1000} s"
    )
    if not draft.obs.spec.abort_on_deadline:
        draft.set(phase=Phase.DEGRADED, message=message)
        draft.wait(Reason.WAITING_FOR_PERSON, message)
        if draft.obs.status.phase is not Phase.DEGRADED:
            draft.warn(Reason.DEADLINE_EXCEEDED, message)
        return True
    draft.set(phase=Phase.ABORTING, message=message, progress=None)
    draft.warn(Reason.DEADLINE_EXCEEDED, f"{message}: abort")
    draft.wake(draft.now)
    return True


def _advance(draft: Draft) -> None:
    """Go to the next step that has something to wait for; a weight is a decision of its own."""
    spec, status = draft.obs.spec, draft.status
    if status.step_index >= len(spec.steps):
        promotion.begin(draft)
        return
    step = spec.steps[status.step_index]
    if isinstance(step, Pause):
        if step.duration_ms is None:
            draft.set(phase=Phase.PAUSED)
            draft.wait(Reason.WAITING_FOR_PERSON, "a person: resume or promote to go on")
            if draft.obs.status.phase is not Phase.PAUSED:
                draft.note(Reason.PAUSED, f"step {status.step_index + 1} waits for a person")
            return
        until = status.pause_until_ms or draft.now + step.duration_ms
        if draft.now < until:
            draft.set(phase=Phase.PAUSED, pause_until_ms=until)
            draft.wake(until)
            draft.wait(Reason.WAITING_FOR_PAUSE, f"the pause of {seconds(step.duration_ms)}")
            return
    next_step(draft)
    later = spec.steps[draft.status.step_index :]
    if not later or isinstance(later[0], Pause):
        _advance(draft)


def next_step(draft: Draft) -> None:
    """Leave the present step."""
    status = draft.status
    draft.note(
        Reason.STEP_COMPLETED, f"step {status.step_index + 1} of {len(draft.obs.spec.steps)}"
    )
    draft.set(
        phase=Phase.PROGRESSING,
        step_index=status.step_index + 1,
        weight_asked_bp=None,
        pause_until_ms=None,
    )
    draft.wake(draft.now)
