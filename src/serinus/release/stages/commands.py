"""What a person may ask of a release, and when: each command is answered once, with a reason."""

from __future__ import annotations

from collections.abc import Callable

from serinus.release.decision import Reason, SetTemplate
from serinus.release.model import Command, CommandVerb, Outcome, Phase
from serinus.release.observation import Observation
from serinus.release.stages import promotion
from serinus.release.stages.draft import Draft
from serinus.release.stages.stage import Stage
from serinus.release.stages.trial import next_step, open_release

ON_TRIAL = (Stage.START, Stage.TRIAL)


def answer(draft: Draft) -> None:
    """Apply the command that waits, unless it was answered before.

    What an undo does is not in the status but in the template, so it is answered when the template
    shows it: a driver that dies in between leaves it to the next one.
    """
    command, last = draft.obs.command, draft.status.last_command
    if command is None or (last is not None and last.id == command.id):
        return
    if is_undone(draft.obs, command):
        refusal = ""
    else:
        refusal = _misdirected(draft, command) or _VERBS[command.verb](draft, command)
        if not refusal and command.verb is CommandVerb.UNDO:
            return
    if refusal:
        draft.warn(Reason.COMMAND_REFUSED, f"{command.verb.value}: {refusal}")
    outcome = Outcome(command.id, command.verb, accepted=not refusal, message=refusal)
    draft.set(last_command=outcome)


def is_undone(obs: Observation, command: Command) -> bool:
    """Tell whether an undo has set the template back to that of a revision of before."""
    target = obs.target
    if command.verb is not CommandVerb.UNDO or target is None:
        return False
    return command.revision != target.template and any(
        rs.template == target.template for rs in obs.owned_by(target.uid)
    )


def _misdirected(draft: Draft, command: Command) -> str:
    """Return why the command is not for the release that runs now, or nothing."""
    target = draft.obs.target
    if target is not None and command.revision != target.template:
        return "the template changed since the command was given"
    if command.step_index is not None and command.step_index != draft.status.step_index:
        return (
            f"it was given at step {command.step_index + 1}, "
            f"the release is at step {draft.status.step_index + 1}"
        )
    return ""


def _no_release(draft: Draft) -> str:
    stage, phase = draft.view.stage, draft.status.phase
    if stage is Stage.ADOPTING:
        return "the adoption is under way and cannot be taken back; undo afterwards"
    if stage is Stage.ROLLING:
        return "the Deployment rolls out by itself; undo takes it back"
    if stage is Stage.START:
        return "the canary is not there yet; promote --full needs not wait for it"
    if phase is Phase.ABORTED:
        return "the release was aborted; retry starts it again"
    return "no release is running"


def _promote(draft: Draft, command: Command) -> str:
    if command.full and draft.view.stage is Stage.START:
        # What must be so before a canary starts still holds it back; nothing else does.
        open_release(draft)
        draft.set(promote_full=True, held_by_person=False)
        return ""
    if draft.view.stage is not Stage.TRIAL:
        return _no_release(draft)
    if command.full:
        draft.set(promote_full=True)
    if draft.status.phase is not Phase.PROMOTING:
        promotion.begin(draft)
    return ""


def _abort(draft: Draft, _: Command) -> str:
    if draft.status.phase in (Phase.ABORTING, Phase.ABORTED) and draft.view.stage is Stage.GIVEN_UP:
        return ""
    if draft.view.stage not in ON_TRIAL:
        return _no_release(draft)
    target = draft.obs.target
    if target is not None:
        draft.remember_target()
    draft.set(
        phase=Phase.ABORTING,
        message="aborted by a person",
        held_by_person=False,
        promote_full=False,
        progress=None,
        pause_until_ms=None,
    )
    draft.note(Reason.ABORTING, "traffic goes back to the stable revision")
    return ""


def _pause(draft: Draft, _: Command) -> str:
    if draft.view.stage not in ON_TRIAL:
        return _no_release(draft)
    if draft.status.phase is Phase.PROMOTING or draft.status.promote_full:
        return "the promotion is under way; abort takes it back"
    draft.set(held_by_person=True, phase=Phase.PAUSED)
    draft.note(Reason.PAUSED, "by a person")
    return ""


def _resume(draft: Draft, _: Command) -> str:
    if draft.view.stage is not Stage.TRIAL:
        return _no_release(draft)
    if draft.status.phase is not Phase.PAUSED:
        return "the release is not paused"
    spec = draft.obs.spec
    status = draft.status
    draft.set(held_by_person=False, phase=Phase.PROGRESSING)
    draft.note(Reason.RESUMED, "by a person")
    leaves_step = not status.held_by_person or status.weight_asked_bp is not None
    if leaves_step and status.step_index < len(spec.steps):
        next_step(draft)
    return ""


def _skip(draft: Draft, _: Command) -> str:
    if draft.view.stage is not Stage.TRIAL or draft.status.phase is Phase.PROMOTING:
        return _no_release(draft)
    if draft.status.step_index >= len(draft.obs.spec.steps):
        return "there is no step left to skip"
    draft.set(held_by_person=False)
    next_step(draft)
    return ""


def _retry(draft: Draft, _: Command) -> str:
    if draft.view.stage is not Stage.GIVEN_UP:
        return "only an aborted release can be tried again"
    if draft.status.phase is not Phase.ABORTED:
        return "the abort is still under way"
    draft.set(phase=Phase.PROGRESSING, message="", started_ms=None)
    return ""


def _undo(draft: Draft, _: Command) -> str:
    view, target = draft.view, draft.obs.target
    if target is None or view.stage in (Stage.ADOPTING, Stage.MIXED):
        return _no_release(draft)
    sole = draft.obs.spec.routed_by.sole_revision(draft.obs.live)
    if not target.paused and sole is not None:
        # It would roll out at once, and take away pods that have all the users.
        return "one revision has all the traffic for a moment; try again"
    if view.stable is not None and view.stable is not view.landed:
        draft.act(SetTemplate(replica_set=view.stable.name))
        return ""
    earlier = [
        rs
        for rs in draft.obs.owned_by(target.uid)
        if view.landed is not None and 0 < rs.number < view.landed.number
    ]
    if not earlier:
        return "there is no earlier revision to go back to"
    draft.act(SetTemplate(replica_set=max(earlier, key=lambda rs: rs.number).name))
    return ""


def _set_weight(draft: Draft, command: Command) -> str:
    if draft.view.stage is not Stage.TRIAL or draft.status.phase is Phase.PROMOTING:
        return _no_release(draft)
    if command.weight_bp is None:
        return "it names no weight"
    draft.set(weight_asked_bp=command.weight_bp, held_by_person=True)
    draft.note(Reason.PAUSED, f"weight set to {command.weight_bp / 100:g} % by a person")
    return ""


_VERBS: dict[CommandVerb, Callable[[Draft, Command], str]] = {
    CommandVerb.PROMOTE: _promote,
    CommandVerb.ABORT: _abort,
    CommandVerb.PAUSE: _pause,
    CommandVerb.RESUME: _resume,
    CommandVerb.SKIP: _skip,
    CommandVerb.RETRY: _retry,
    CommandVerb.UNDO: _undo,
    CommandVerb.SET_WEIGHT: _set_weight,
}
