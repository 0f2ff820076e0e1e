"""The hold: a changed template does not roll out by itself, be it by our field or by a policy.

By the field the Deployment is paused also at rest; by the policy it is marked, and paused by the
API server in the moment in which its template changes.
"""

from __future__ import annotations

from serinus.release.decision import Guard, Hold, LetGo, Reason
from serinus.release.holding import HELD, MANAGED, OFF
from serinus.release.observation import HoldBy, Observation, Target
from serinus.release.stages.draft import Draft


def keep(draft: Draft) -> None:
    """Hold a Deployment whose template waits for its trial, or is on trial."""
    if draft.target.paused:
        return
    draft.act(Hold())
    draft.note(Reason.HELD, "spec.paused: true, so that a changed template waits for its trial")


def hand_over(draft: Draft) -> None:
    """Mark a template that our field holds for a policy that came later: it guards the pause."""
    is_policy = draft.obs.hold_by is HoldBy.POLICY
    if is_policy and draft.target.paused and draft.target.hold_label not in (HELD, OFF):
        draft.act(Hold())
        draft.note(Reason.HELD, "by the admission policy: it keeps the pause now")


def at_rest(draft: Draft) -> bool:
    """Hold a Deployment that runs its template; return whether it is held."""
    if is_held_at_rest(draft.obs.hold_by, draft.target):
        return True
    if draft.obs.hold_by is HoldBy.FIELD:
        keep(draft)
    else:
        draft.act(Guard())
        draft.note(Reason.HELD, "by the admission policy: a changed template waits for its trial")
    return False


def is_held_at_rest(hold_by: HoldBy, target: Target) -> bool:
    """Tell whether the next template will wait, and nothing of the last hold is left.

    A person who switched the policy off for this Deployment gets what she asked for.
    """
    if hold_by is HoldBy.FIELD:
        return target.paused
    return target.hold_label in (MANAGED, OFF) and not target.paused_by_us


def let_go(draft: Draft, *, lift: bool) -> bool:
    """Take the hold off; return whether nothing of it is left.

    Without `lift` the Deployment stays paused: it has a template that nobody has promoted.
    """
    target = draft.target
    if not target.hold_label and not (lift and target.paused_by_us):
        return True
    draft.act(LetGo(lift=lift))
    return False


def would_hold(obs: Observation) -> bool:
    """Tell whether a template that is set now waits for its trial."""
    target = obs.target
    return target is not None and is_held_at_rest(obs.hold_by, target)
