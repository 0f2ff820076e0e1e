"""Take the canary away: after an abort, when the template was set back, or when it changed again.

Traffic first, in force; then the canary; and the Service opens again when all its pods are leaving.
"""

from __future__ import annotations

from serinus.release.decision import DeleteCanary, Reason, Resume
from serinus.release.model import Phase
from serinus.release.observation import Target
from serinus.release.stages import hold
from serinus.release.stages.draft import Draft
from serinus.release.stages.full_count import full_count, give_back, staying_count
from serinus.release.stages.route import follow, plan_for, rest_plan, standing_elsewhere


def given_up(draft: Draft) -> None:
    """Finish an abort, and stay aborted until the template changes or a person says retry."""
    draft.remember_target()
    if draft.status.phase is Phase.ABORTED and draft.obs.canary is None:
        draft.follow(follow(draft.obs, rest_plan(draft.obs), draft.now))
        hold.hand_over(draft)
        return
    draft.set(phase=Phase.ABORTING)
    # It may have been let go for a rolling update that has not begun.
    hold.keep(draft)
    if remove(draft):
        message = draft.status.message or "aborted by a person"
        draft.end(Phase.ABORTED, "Aborted", message)
        draft.note(Reason.ABORTED, message)


def back(draft: Draft) -> None:
    """Remove the canary of a template that its owner has taken back."""
    if draft.status.phase is not Phase.ABORTING:
        draft.note(Reason.TARGET_RESTORED, "the template was set back: the canary goes")
    draft.set(phase=Phase.ABORTING)
    let_end(draft)
    remove(draft)


def let_end(draft: Draft) -> None:
    """Let a rollout of the template end that was frozen half way: neither half could carry all."""
    target = draft.target
    running = [rs for rs in draft.obs.owned_by(target.uid) if rs.wanted_count]
    if target.paused and len(running) > 1:
        draft.act(Resume())


def retarget(draft: Draft) -> None:
    """Remove the canary of a template that was replaced by another; the new one starts afresh."""
    before = draft.obs.status
    if before.started_ms is not None and before.revision == draft.target.template:
        # The target is what it was at the start, so it is the canary that came out different.
        _rewritten(draft)
        return
    if draft.obs.status.started_ms is not None:
        draft.note(Reason.TARGET_CHANGED, "the template changed: its trial begins anew")
    draft.close("Replaced", "the template was changed to another one")
    draft.set(phase=Phase.PROGRESSING, promotion=None, promote_full=False, undo_until_ms=None)
    running = [rs for rs in draft.obs.owned_by(draft.target.uid) if rs.wanted_count]
    if len(running) == 1:
        # A rollout that has begun is left to end: frozen half way, stable could not carry all.
        hold.keep(draft)
    elif draft.target.paused and any(
        rs.restart_template == draft.target.restart_template for rs in running
    ):
        # The policy froze it half way for a mark of a restart, which needs no trial.
        draft.act(Resume())
    remove(draft)


def _rewritten(draft: Draft) -> None:
    """Give up a canary that came out of another template: the next one would be no better."""
    message = (
        f"the cluster changed the template of {draft.canary.name} when it was created (an "
        f"admission rule that looks at names?), so it would not be what {draft.target.name} runs"
    )
    draft.set(phase=Phase.ABORTING, message=message, promotion=None)
    draft.warn(Reason.TEMPLATE_REWRITTEN, message)
    draft.wake(draft.now)


def remove(draft: Draft) -> bool:
    """Take the next step towards a world without the canary; return whether it is reached."""
    obs, stable, target = draft.obs, draft.stable, draft.target
    if obs.canary is None or obs.canary.deleting:
        left = standing_elsewhere(obs, stable.hash)
        if (
            left
            or obs.canary is not None
            or any(rs.owner_uid != target.uid for rs in obs.replica_sets)
        ):
            draft.wait(Reason.WAITING_FOR_OLD_PODS, f"{left} pods of the canary still stand")
            return False
        if not give_back(draft):
            return False
        route = follow(obs, rest_plan(obs, stable.hash), draft.now)
        if route.shown is None and route.waiting is not None:
            draft.wait(Reason(route.waiting.reason), route.waiting.message)
        draft.act(*route.actions)
        draft.set(shown=route.shown)
        return not route.actions and (route.is_shown or obs.live.service is None)
    if not _stable_can_carry(draft, target):
        return False
    plan = plan_for(obs, stable.hash, draft.status.canary_hash, 0)
    if target.replica_count == 0:
        plan = rest_plan(obs, stable.hash)
    if obs.live.service is not None and not draft.follow(follow(obs, plan, draft.now)):
        return False
    draft.set(weight_bp=0)
    draft.act(DeleteCanary())
    draft.wait(Reason.WAITING_FOR_OLD_PODS, "the canary is being deleted")
    return False


def _stable_can_carry(draft: Draft, target: Target) -> bool:
    """Bring stable's pods back first, and never send all users to a handful of them."""
    stable = draft.stable
    n = full_count(draft.status, target)
    give_back(draft)
    needed = max(1, n - n // 4) if n else 0
    already = draft.status.shown is not None and draft.status.shown.route == stable.hash
    staying = staying_count(stable, target)
    if staying < needed and not already:
        draft.wait(
            Reason.STABLE_NOT_READY,
            f"{staying} of at least {needed} stable pods are available",
        )
        return False
    return True
