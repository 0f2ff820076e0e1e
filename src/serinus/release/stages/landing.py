"""After the template runs: open the Service again, hold, and be Healthy."""

from __future__ import annotations

from serinus.release.decision import EmptyReplicaSet, Reason, Resume
from serinus.release.model import Phase
from serinus.release.observation import Observation, Target
from serinus.release.stages import hold
from serinus.release.stages.draft import Draft
from serinus.release.stages.full_count import give_back
from serinus.release.stages.route import follow, ready_count, rest_plan, standing_elsewhere

ADOPTION_TOLERANCE_MS = 2_000
"""How long the Deployment controller may take to empty the old ReplicaSets after an adoption."""


def landed(draft: Draft) -> None:
    """Bring a Deployment whose template runs to rest."""
    if not settle(draft):
        return
    if hold.at_rest(draft):
        _finish(draft, draft.target)
    else:
        # Since when the Service is open is noted with the rest: one write for both.
        draft.set(shown=draft.obs.status.shown)
        draft.wait(Reason.WAITING_FOR_ROLLOUT, "until the hold is seen")


def settle(draft: Draft) -> bool:
    """Give the Deployment its pods and its Service back; return whether it has both, and alone."""
    obs, target, now_stable = draft.obs, draft.target, draft.landed
    draft.set(stable_hash=now_stable.hash)
    if not give_back(draft):
        draft.wait(Reason.WAITING_FOR_ROLLOUT, f"{target.name} gets its replicas back")
        return False
    old_standing = standing_elsewhere(obs, now_stable.hash)
    if not target.complete:
        _unfinished(draft, target)
        if draft.decision().actions:
            return False
    elif old_standing:
        draft.wait(Reason.WAITING_FOR_OLD_PODS, f"{old_standing} old pods still stand")
    at_rest = _route_at_rest(draft, old_standing)
    return at_rest and target.complete and old_standing == 0 and obs.canary is None


def _route_at_rest(draft: Draft, old_standing: int) -> bool:
    """Open the Service as soon as no pod of the old revision can be picked that is not leaving."""
    obs, now_stable = draft.obs, draft.landed
    if obs.live.service is None:
        # Nothing is narrowed, and what comes back in its place selects as its owner writes it.
        return True
    plan = rest_plan(obs, now_stable.hash)
    route = follow(obs, plan, draft.now)
    if route.actions and obs.live.service is not None:
        alone = obs.spec.routed_by.sole_revision(obs.live) == now_stable.hash
        if alone and old_standing and ready_count(obs, now_stable.hash):
            return False
        draft.note(Reason.WIDENED, f"Service {obs.spec.service} selects every revision again")
    if route.shown is None and route.waiting is not None:
        draft.wait(Reason(route.waiting.reason), route.waiting.message)
    draft.act(*route.actions)
    draft.set(shown=route.shown)
    return not route.actions and route.is_shown


def _unfinished(draft: Draft, target: Target) -> None:
    """Wait for the Deployment controller, and help when a held adoption cannot finish by itself."""
    obs, now_stable = draft.obs, draft.landed
    since = draft.status.landing_since_ms or draft.now
    draft.set(phase=_busy(draft), landing_since_ms=since)
    others = [rs for rs in obs.owned_by(target.uid) if rs.uid != now_stable.uid and rs.wanted_count]
    stuck = target.paused and (others or now_stable.wanted_count != target.replica_count)
    if stuck and draft.now < since + ADOPTION_TOLERANCE_MS:
        draft.wake(since + ADOPTION_TOLERANCE_MS)
    elif stuck and draft.follow(follow(obs, rest_plan(obs, now_stable.hash), draft.now)):
        # The old pods are good: users get them back before the rest is put in order.
        draft.act(Resume())
        draft.warn(Reason.MIXED, "the adoption did not saturate: the Deployment is resumed")
    draft.wait(
        Reason.WAITING_FOR_ROLLOUT,
        f"{now_stable.available_count} of {target.replica_count} pods of {target.name} are "
        "available",
    )


def _busy(draft: Draft) -> Phase:
    phase = draft.status.phase
    return Phase.PROGRESSING if phase.at_rest or phase is Phase.PAUSED else phase


def _finish(draft: Draft, target: Target) -> None:
    """Say how the release ended, once."""
    before = draft.obs.status
    if before.phase is Phase.HEALTHY and before.started_ms is None:
        draft.remember_target()
        return
    if before.started_ms is None:
        outcome, reason, message = "", None, ""
    elif before.revision != target.template:
        outcome, reason = "TargetRestored", Reason.TARGET_RESTORED
        message = "the template was set back; the canary is gone"
    elif before.phase is Phase.PROMOTING:
        outcome, reason = "Promoted", Reason.PROMOTED
        message = f"every pod of {target.name} runs the new revision"
    else:
        outcome, reason = "Bypassed", Reason.BYPASSED
        message = "the template was rolled out outside the release"
    draft.end(Phase.HEALTHY, outcome, message)
    draft.remember_target()
    if reason is not None:
        draft.note(reason, message)


def mixed(draft: Draft) -> None:
    """Repair a Deployment that runs several old revisions: keep the one to protect."""
    obs, target, stable = draft.obs, draft.target, draft.stable
    if not draft.follow(follow(obs, rest_plan(obs, stable.hash), draft.now)):
        return
    if obs.status.waiting is None or obs.status.waiting.reason != Reason.MIXED.value:
        draft.warn(Reason.MIXED, f"several revisions run; {stable.name} stays, the others go")
    if stable.available_count:
        for rs in obs.owned_by(target.uid):
            if rs.uid != stable.uid and rs.wanted_count:
                draft.act(EmptyReplicaSet(name=rs.name))
    draft.wait(Reason.MIXED, f"until only {stable.name} runs")


def let_out(draft: Draft) -> None:
    """Roll out directly where no running pod could be protected by a trial."""
    obs: Observation = draft.obs
    target, stable = draft.target, draft.view.stable
    if stable is not None and stable.restart_template == target.restart_template:
        why = "only the mark of a restart changed"
    elif target.replica_count == 0:
        why = "the Deployment has no replicas"
    else:
        why = "no pod of the stable revision is available"
    if obs.canary is not None:
        draft.follow(follow(obs, rest_plan(obs), draft.now))
    give_back(draft)
    if target.paused:
        draft.act(Resume())
        draft.note(Reason.LET_OUT, f"rolled out directly: {why}")
    draft.set(phase=_busy(draft))
    draft.wait(Reason.WAITING_FOR_ROLLOUT, f"rolled out directly: {why}")


def missing(draft: Draft) -> None:
    """Leave the Service open when the Deployment is gone."""
    message = (
        f"spec.targetRef.name: Deployment {draft.obs.spec.target} is not there; create it, or "
        "delete this release"
    )
    draft.follow(follow(draft.obs, rest_plan(draft.obs), draft.now))
    if draft.obs.status.phase is not Phase.DEGRADED or draft.obs.status.message != message:
        draft.warn(Reason.TARGET_MISSING, message)
    draft.set(phase=Phase.DEGRADED, message=message)
