"""Instants as Kubernetes writes them: RFC 3339 in UTC, whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from serinus.clock import Instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_text(instant: Instant) -> str:
    """Return the instant as metav1.Time writes it; the milliseconds are cut off."""
    return (_EPOCH + timedelta(seconds=instant // 1000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> Instant:
    """Return the instant that an RFC 3339 text names."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
