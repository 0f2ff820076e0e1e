"""The heart: `decide(observation, now) -> Decision`. Pure; may be called at any time, and twice."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from serinus.clock import Instant
from serinus.release import invariants
from serinus.release.decision import Decision, Reason, RestoreRoute
from serinus.release.observation import Observation
from serinus.release.stages import commands, landing, leaving, promotion, removal, trial
from serinus.release.stages.draft import Draft
from serinus.release.stages.stage import Stage, view

_STAGES: dict[Stage, Callable[[Draft], object]] = {
    Stage.MISSING: landing.missing,
    Stage.LANDED: landing.landed,
    Stage.ROLLING: promotion.rolling,
    Stage.BACK: removal.back,
    Stage.ADOPTING: promotion.adopting,
    Stage.LET_OUT: landing.let_out,
    Stage.MIXED: landing.mixed,
    Stage.GIVEN_UP: removal.given_up,
    Stage.RETARGET: removal.retarget,
    Stage.START: trial.start,
    Stage.TRIAL: trial.trial,
}


def decide(obs: Observation, now: Instant) -> Decision:
    """Return what to do now.

    Raises:
        InvariantViolation: the decision would break a rule that protects users.
    """
    draft = Draft(obs, view(obs), now)
    if not obs.leaving:
        commands.answer(draft)
    if draft.status != msgspec.structs.replace(obs.status, waiting=None):
        # Answered in the record before anything is done about it, a command acts at most once.
        draft.wake(now)
    elif draft.acts:
        draft.set(waiting=obs.status.waiting)
        draft.wake(now)
    elif obs.spec.routed_by.strands_users(obs.live):
        draft.act(RestoreRoute())
        draft.warn(Reason.WIDENED, "nobody serves where the Service led all users")
        draft.set(shown=None)
    elif obs.leaving:
        leaving.leave(draft)
    else:
        _STAGES[draft.view.stage](draft)
    decision = draft.decision()
    invariants.check(obs, decision)
    return decision
