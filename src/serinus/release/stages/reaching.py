"""Whether a release is where somebody waits for it to be, or will not get there by itself.

A status that was written before the world changed proves nothing: a phase counts only where what
the cluster shows fits it. So the answer is the same whenever it is asked for.
"""

from __future__ import annotations

import enum

from serinus.release.conditions import DEGRADED, Condition, Outlook
from serinus.release.model import Phase
from serinus.release.observation import Observation
from serinus.release.stages.stage import Stage, view

_FITS = {
    Phase.HEALTHY: (Stage.LANDED,),
    Phase.PAUSED: (Stage.START, Stage.TRIAL),
    Phase.ABORTING: (Stage.GIVEN_UP,),
    Phase.ABORTED: (Stage.GIVEN_UP,),
}
"""Where each phase that can be an end may be: a changed template shows before its status does."""


class Reach(enum.Enum):
    """How far a phase is from where a release stands."""

    THERE = "it is there"
    ON_ITS_WAY = "it may get there"
    OUT_OF_REACH = "it does not get there unless a person does something"


def reach(obs: Observation, shown: Outlook, goal: Phase, *, generation: int) -> Reach:
    """Return how far `goal` is; `generation` is that of the spec in the record."""
    status, command = obs.status, obs.command
    last = status.last_command
    unanswered = command is not None and (last is None or last.id != command.id)
    if unanswered or shown.generation < generation or not _is_of_now(obs, shown):
        return Reach.ON_ITS_WAY
    if status.phase is goal:
        return Reach.THERE
    ends_aborted = status.phase is Phase.ABORTING and goal is not Phase.ABORTED
    return Reach.OUT_OF_REACH if status.phase.at_rest or ends_aborted else Reach.ON_ITS_WAY


def trouble(shown: Outlook) -> Condition | None:
    """Return what keeps a release from going on until somebody mends it, if anything does."""
    return next(
        (
            c
            for c in shown.conditions
            if c.type == DEGRADED and c.status and c.reason != Phase.DEGRADED.value
        ),
        None,
    )


def _is_of_now(obs: Observation, shown: Outlook) -> bool:
    """Tell whether the phase speaks of what the cluster shows."""
    stage, phase = view(obs).stage, obs.status.phase
    if phase is Phase.DEGRADED:
        return (
            stage in (Stage.MISSING, Stage.TRIAL)
            or any(f.blocking for f in obs.findings)
            or trouble(shown) is not None
        )
    return stage in _FITS.get(phase, (stage,))
