"""A release that was deleted: users back on what runs, the canary gone, the Deployment let go.

What cannot be taken back any more (an adoption, a rollout that has begun) is brought to its end.
"""

from __future__ import annotations

from serinus.release.decision import DeleteCanary, Reason
from serinus.release.model import Phase
from serinus.release.stages import hold, landing, promotion, removal
from serinus.release.stages.draft import Draft
from serinus.release.stages.route import follow, rest_plan
from serinus.release.stages.stage import Stage


def leave(draft: Draft) -> None:
    """Take the next step towards a world without the release."""
    stage = draft.view.stage
    if stage is Stage.MISSING:
        _leave_nothing(draft)
    elif stage is Stage.ADOPTING:
        promotion.adopting(draft)
    elif stage is Stage.ROLLING:
        promotion.rolling(draft)
    elif stage is Stage.MIXED:
        landing.mixed(draft)
    elif stage is Stage.LANDED:
        if landing.settle(draft):
            _let_go(draft, lift=True)
    elif stage is Stage.LET_OUT:
        _let_out(draft)
    else:
        _remove_canary(draft)


def _leave_nothing(draft: Draft) -> None:
    """Take what is ours along where the Deployment is gone: orphaned, a canary has no owner."""
    if not _route_at_rest(draft):
        return
    canary = draft.obs.canary
    if canary is None:
        draft.gone = True
        return
    if draft.obs.target is None and not canary.deleting:
        draft.act(DeleteCanary())
    draft.wait(Reason.WAITING_FOR_CLEANUP, f"until {canary.name} is gone")


def _remove_canary(draft: Draft) -> None:
    if draft.status.phase is not Phase.ABORTING:
        draft.note(Reason.LEAVING, "the release was deleted: traffic goes back to what runs")
    draft.set(phase=Phase.ABORTING)
    if draft.view.stage is Stage.BACK:
        removal.let_end(draft)
    else:
        hold.keep(draft)
    if removal.remove(draft):
        # What runs and what is wanted differ: unpaused, it would roll out untried.
        _let_go(draft, lift=draft.view.stage is Stage.BACK)


def _let_out(draft: Draft) -> None:
    if draft.obs.canary is not None or not _route_at_rest(draft):
        landing.let_out(draft)
        return
    _let_go(draft, lift=True)


def _route_at_rest(draft: Draft) -> bool:
    """Open the Service, if it is there; return whether it is open."""
    if draft.obs.live.service is None:
        return True
    return draft.follow(follow(draft.obs, rest_plan(draft.obs), draft.now))


def _let_go(draft: Draft, *, lift: bool) -> None:
    if not hold.let_go(draft, lift=lift):
        draft.wait(Reason.LEAVING, "until the Deployment is let go")
        return
    name = draft.target.name
    if lift:
        words = f"{name} is a plain Deployment again"
    else:
        words = (
            f"{name} keeps a template that was not promoted, paused: kubectl rollout resume "
            f"deployment/{name} rolls it out"
        )
    draft.note(Reason.LEFT, words)
    draft.gone = True
