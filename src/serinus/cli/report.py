"""What people read while a release runs: one line for each thing worth telling, on stderr."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from serinus.api.text import format_weight
from serinus.controller.reconcile import Round
from serinus.errors import SerinusError
from serinus.release.decision import Severity
from serinus.release.observation import Observation
from serinus.release.pair import PairDecision, PairObservation


def real_share_bp(obs: Observation) -> int:
    """Return the share of ready pods that are the canary's: what a plain Service gives them."""
    uids = {} if obs.canary is None else {rs.uid for rs in obs.owned_by(obs.canary.uid)}
    canary = sum(rs.ready_count for rs in obs.replica_sets if rs.uid in uids)
    total = sum(rs.ready_count for rs in obs.replica_sets)
    return 0 if total == 0 else 10_000 * canary // total


class Lines:
    """Say what changed, once: notes, and each new thing that is waited for."""

    def __init__(self, name: str, *, stream: TextIO | None = None) -> None:
        self._name = name
        self._stream = stream or sys.stderr
        self._last_wait = ""

    def say(self, text: str) -> None:
        """Write one line with the time of day."""
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
            self.say(f"{mark}{status.phase.value}: {note.message}")
        waiting = status.waiting
        text = "" if waiting is None else waiting.message
        if text and text != self._last_wait:
            share = format_weight(real_share_bp(done.observation))
            self.say(
                f"{status.phase.value}: step {status.step_index + 1}, canary {share} % of the "
                f"ready pods; waiting: {text}"
            )
        self._last_wait = text

    def pair(self, _: PairObservation, decision: PairDecision) -> None:
        """Tell what one step on a pair brought."""
        if decision.waiting and decision.waiting != self._last_wait:
            self.say(decision.waiting)
        self._last_wait = decision.waiting

    def trouble(self, error: SerinusError) -> None:
        """Tell of an attempt that failed and will be made again."""
        self.say(f"! {error}; trying again")
