"""What people read while a release runs: one line for each thing worth telling, on stderr."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from serinus.api.text import format_weight
from serinus.controller.reconcile import Round
from serinus.errors import SerinusError
from serinus.release.decision import Reason, Severity
from serinus.release.model import Phase
from serinus.release.observation import Observation
from serinus.release.pair.model import PairDecision, PairObservation


def real_share_bp(obs: Observation) -> int:
    """Return the share of ready pods that are the canary's: what a plain Service gives them."""
    uids = {} if obs.canary is None else {rs.uid for rs in obs.owned_by(obs.canary.uid)}
    canary = sum(rs.ready_count for rs in obs.replica_sets if rs.uid in uids)
    total = sum(rs.ready_count for rs in obs.replica_sets)
    return 0 if total == 0 else 10_000 * canary // total


def _place(done: Round) -> str:
    """Return where on its way a release is, while it walks its steps."""
    status, count = done.decision.status, len(done.observation.spec.steps)
    if status.phase not in (Phase.PROGRESSING, Phase.PAUSED) or status.started_ms is None:
        return ""
    share = format_weight(real_share_bp(done.observation))
    step = min(status.step_index + 1, count)
    return f" (step {step} of {count}, canary {share} % of the ready pods)"


class Lines:
    """Say what changed, once: notes, and each new thing that is waited for."""

    def __init__(self, name: str, *, stream: TextIO | None = None) -> None:
        self._name = name
        self._stream = stream or sys.stderr
        self._last_wait = ""
        self._last_said = ""

    def say(self, text: str) -> None:
        """Write one line with the time of day, unless it is what was said last."""
        if text == self._last_said:
            return
        self._last_said = text
        clock = time.strftime("%H:%M:%S")
        print(f"{clock}  {text}", file=self._stream, flush=True)

    def write(self, text: str) -> None:
        """Tell of one write, under `--verbose`."""
        self.say(f"  {text}")

    def round(self, done: Round) -> None:
        """Tell what one round of a release brought."""
        status = done.decision.status
        for note in done.decision.notes:
            mark = "! " if note.severity is Severity.WARNING else ""
            ended = status.phase.at_rest and note.message == status.message
            word = status.phase.value if ended else note.reason.value
            self.say(f"{mark}{word}: {note.message}")
        waiting = status.waiting
        # What a person has to do is said by a note when it comes, and at the end.
        for_person = waiting is not None and waiting.reason == Reason.WAITING_FOR_PERSON.value
        text = "" if waiting is None or for_person else waiting.message
        if text and text != self._last_wait:
            self.say(f"waiting: {text}{_place(done)}")
        self._last_wait = text

    def pair(self, _: PairObservation, decision: PairDecision) -> None:
        """Tell what one step on a pair brought."""
        if decision.waiting and decision.waiting != self._last_wait:
            self.say(decision.waiting)
        self._last_wait = decision.waiting

    def trouble(self, error: SerinusError) -> None:
        """Tell of an attempt that failed and will be made again."""
        self.say(f"! {error}; trying again")
