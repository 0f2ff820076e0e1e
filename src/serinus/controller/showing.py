"""When to write what a status only shows: once it has stood for a moment.

What must be remembered is written at once. What is for people (what is waited for, conditions, how
many pods are there) may change many times a second while pods come and go.
"""

from __future__ import annotations

from serinus.clock import Instant
from serinus.controller.reconcile import Round

STANDS_MS = 300


class Showing:
    """Since when one release has something to show that is not written yet."""

    def __init__(self) -> None:
        self._since_ms: Instant | None = None

    def due(self, now: Instant) -> bool:
        """Tell whether the next round should write it."""
        return self._since_ms is not None and now - self._since_ms >= STANDS_MS

    def after(self, done: Round, now: Instant) -> Instant | None:
        """Return when to look again for the sake of what the round did not write."""
        if not done.unshown:
            self._since_ms = None
            return None
        if self._since_ms is None:
            self._since_ms = now
        return self._since_ms + STANDS_MS
