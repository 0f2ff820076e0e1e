"""What a round brought, told in four ways that never disagree: Event, log line, counter, gauge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from serinus.api.text import format_weight
from serinus.controller.operator.concerns import Key
from serinus.controller.operator.meters import Meters
from serinus.controller.reconcile import Round
from serinus.kube.kinds import CANARY_RELEASES
from serinus.kube.recorder import Recorder, Subject
from serinus.release.decision import Note, Severity
from serinus.release.model import Phase

_log = structlog.get_logger("serinus.operator")


class Report:
    """Tell people what happens to releases."""

    def __init__(self, recorder: Recorder, meters: Meters) -> None:
        self._recorder, self._meters = recorder, meters
        self._phases: dict[Key, Phase] = {}
        self._driven: dict[Key, str] = {}

    def round(self, key: Key, done: Round, found: Mapping[str, Any] | None) -> None:
        """Tell of the notes of a round, and of a phase that is new."""
        status = done.decision.status
        self._driven.pop(key, None)
        for note in done.decision.notes:
            self._note(key, note, done, found)
        if self._phases.get(key) is not status.phase:
            self._phases[key] = status.phase
            self._meters.phase(key, status.phase)
        self._meters.weight(key, done.observation.status.weight_bp)
        self._meters.rounds.labels("changed" if done.sent else "quiet").inc()

    def round_took(self, seconds: float) -> None:
        """Count the time of a round."""
        self._meters.round_seconds.observe(seconds)

    def wrote(self, what: str) -> None:
        """Count a write, and say it where somebody wants to see each."""
        self._meters.writes.labels(what.split(" ", 1)[0]).inc()
        _log.debug("write", what=what)

    def driven(self, key: Key, driver: str) -> None:
        """Say once that a command line drives a release."""
        if self._driven.get(key) != driver:
            self._driven[key] = driver
            _log.info("left to its driver", release=_name(key), driver=driver)

    def trouble(self, key: Key, error: Exception, *, loud: bool) -> None:
        """Tell of an attempt that failed and is made again."""
        self._meters.rounds.labels("failed").inc()
        tell = _log.warning if loud else _log.debug
        tell("will try again", release=_name(key), error=str(error))

    def defect(self, key: Key, reason: str, error: Exception) -> None:
        """Tell loudly of what trying again does not mend."""
        self._meters.rounds.labels("refused").inc()
        expected = reason not in ("Defect", "InvariantViolation")
        _log.error(
            "cannot go on",
            release=_name(key),
            reason=reason,
            error=str(error),
            exc_info=None if expected else error,
        )

    def degraded(
        self, key: Key, reason: str, message: str, found: Mapping[str, Any] | None
    ) -> None:
        """Tell of a release that cannot go on by itself."""
        self._meters.notes.labels(reason, Severity.WARNING.value).inc()
        self._phases[key] = Phase.DEGRADED
        self._meters.phase(key, Phase.DEGRADED)
        _log.warning(message, release=_name(key), reason=reason)
        if found is not None:
            self._recorder.record(_subject(found), reason, message, event_type="Warning")

    def forget(self, key: Key) -> None:
        """Drop what was known of a release that is gone."""
        self._phases.pop(key, None)
        self._driven.pop(key, None)
        self._meters.forget(key)

    def _note(self, key: Key, note: Note, done: Round, found: Mapping[str, Any] | None) -> None:
        status = done.decision.status
        self._meters.notes.labels(note.reason.value, note.severity.value).inc()
        tell = _log.warning if note.severity is Severity.WARNING else _log.info
        tell(
            note.message,
            release=_name(key),
            revision=status.revision[:8],
            step=status.step_index,
            weight=format_weight(status.weight_bp),
            reason=note.reason.value,
        )
        if found is not None:
            kind: Any = "Warning" if note.severity is Severity.WARNING else "Normal"
            self._recorder.record(_subject(found), note.reason.value, note.message, event_type=kind)


def _subject(found: Mapping[str, Any]) -> Subject:
    meta = found["metadata"]
    return Subject(CANARY_RELEASES, meta["namespace"], meta["name"], meta["uid"])


def _name(key: Key) -> str:
    return f"{key[0]}/{key[1]}"
