"""The plan that the middleware decides by, read again when it changes.

A plan that cannot be read leaves the last good one in force, and is told once. Without any good
plan every request gets stable. The file is read whole at each look: a time stamp may miss a change
within its own granularity, and a mounted ConfigMap is a symlink that is swapped.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from serinus.assignment.split import Assignment, Split
from serinus.assignment.text_form import document_of, split_of
from serinus.errors import InvalidInput, UsageError

LOOK_EVERY_S = 1.0

_log = logging.getLogger("serinus.middleware")


class Plan:
    """Give the assignment in force; `current` may be called from any thread."""

    def __init__(
        self, read: Callable[[], bytes], subject: str, *, look_every_s: float | None = LOOK_EVERY_S
    ) -> None:
        """Take where the text comes from; it is read once only if `look_every_s` is None."""
        self._read = read
        self._subject = subject
        self._look_every_s = look_every_s
        self._looking = threading.Lock()
        self._next_look_s = 0.0
        self._text: bytes | None = None
        self._assignment: Assignment | None = None
        self.problem: str | None = None
        """Why the text of the last look is not in force."""
        self._look()

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], look_every_s: float = LOOK_EVERY_S) -> Plan:
        """Follow a file: looked at when a request comes, at most once in `look_every_s`."""
        return cls(Path(path).read_bytes, str(path), look_every_s=look_every_s)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Plan:
        """Take the plan that SERINUS_PLAN says, or follow the file that SERINUS_PLAN_FILE names."""
        text, path = environ.get("SERINUS_PLAN"), environ.get("SERINUS_PLAN_FILE")
        if (text is None) == (path is None):
            raise UsageError("set one of SERINUS_PLAN (the plan) and SERINUS_PLAN_FILE (its path)")
        if path is not None:
            return cls.from_file(path)
        return cls(str(text).encode, "SERINUS_PLAN", look_every_s=None)

    @classmethod
    def of(cls, split: Split) -> Plan:
        """Take a split that never changes."""
        return cls(json.dumps(document_of(split)).encode, "the plan", look_every_s=None)

    def current(self) -> Assignment | None:
        """Return what decides now, or None when there was never a good plan."""
        if time.monotonic() >= self._next_look_s and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._assignment

    def _look(self) -> None:
        every_s = self._look_every_s
        self._next_look_s = float("inf") if every_s is None else time.monotonic() + every_s
        try:
            text = self._read()
            if text == self._text and self.problem is None:
                return
            assignment = Assignment(split_of(json.loads(text), self._subject))
        except (OSError, ValueError, RecursionError, InvalidInput) as error:
            self._tell(f"{type(error).__name__}: {error}")
            return
        if self.problem is not None:
            _log.info("%s: the plan can be read again", self._subject)
        self._text, self._assignment, self.problem = text, assignment, None

    def _tell(self, problem: str) -> None:
        if problem == self.problem:
            return
        self.problem = problem
        kept = "the last good plan stays" if self._assignment else "every request gets stable"
        _log.warning("%s: this plan cannot be used; %s. %s", self._subject, kept, problem)
