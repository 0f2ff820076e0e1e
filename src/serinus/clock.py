"""Time as integers: milliseconds since the epoch, UTC. Imports nothing that could tell the time."""

from __future__ import annotations

from typing import Protocol, TypeAlias

Instant: TypeAlias = int
"""Milliseconds since 1970-01-01T00:00:00Z."""


class Clock(Protocol):
    """Tell the time; the one place from which it enters the program."""

    def now_ms(self) -> Instant:
        """Return the present instant."""
        ...
