"""Instants and spans of time as a rule's text says them."""

from __future__ import annotations

import datetime as dt
import re

from serinus.rules import reading

DURATION_MS_MAX = 100 * 365 * 86_400_000

_UNITS_MS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PART = re.compile(r"([0-9]{1,15})(ms|h|m|s)")
_MS = 1_000_000


def parse_timestamp(text: str) -> int:
    """Return milliseconds since the epoch.

    Raises:
        ValueError: the text is not in RFC 3339, or is finer than a millisecond.
    """
    found = reading.timestamp_ns(text)
    if found is None:
        raise ValueError(
            f"{text!r} is no timestamp; write 2026-01-01T00:00:00Z or 2026-01-01T08:00:00+08:00"
        )
    if found % _MS:
        raise ValueError(f"{text!r} is finer than a millisecond")
    return found // _MS


def format_timestamp(at_ms: int) -> str:
    """Return the text in UTC."""
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=at_ms)  # noqa: DTZ001
    return moment.isoformat(timespec="milliseconds" if at_ms % 1_000 else "seconds") + "Z"


def parse_duration(text: str) -> int:
    """Return milliseconds for `720h`, `1h30m`, `90s`, `500ms`.

    Raises:
        ValueError: the text is no duration, or over a hundred years.
    """
    position, total_ms = 0, 0
    for part in _PART.finditer(text):
        if part.start() != position:
            break
        total_ms += int(part[1]) * _UNITS_MS[part[2]]
        position = part.end()
    if position == 0 or position != len(text):
        hint = "; a day is 24h" if re.fullmatch(r"[0-9.]+d.*", text) else ""
        raise ValueError(f"{text!r} is no duration; write 720h, 1h30m, 90s or 500ms{hint}")
    if total_ms > DURATION_MS_MAX:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return total_ms


def format_duration(duration_ms: int) -> str:
    """Return the text in the largest unit that is whole."""
    for unit in ("h", "m", "s"):
        if duration_ms and duration_ms % _UNITS_MS[unit] == 0:
            return f"{duration_ms // _UNITS_MS[unit]}{unit}"
    return f"{duration_ms}ms" if duration_ms else "0s"
