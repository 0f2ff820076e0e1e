"""Timestamps of the API (RFC 3339) to integer milliseconds and back, without floats.

Kubernetes writes `metav1.Time` with whole seconds and `metav1.MicroTime` with six digits
(k8s.io/apimachinery, pkg/apis/meta/v1/time.go and micro_time.go).
"""

from __future__ import annotations

import datetime as dt
import re

from serinus import errors
from serinus.clock import Instant

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECOND = dt.timedelta(seconds=1)
_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)


def parse(text: str) -> Instant:
    """Return the instant that `text` names; digits below a millisecond are cut off.

    Raises:
        InvalidInput: the text is not an RFC 3339 timestamp.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise errors.InvalidInput("timestamp", [f"{text!r} is not of the form {_EXAMPLE}"])
    *fields, fraction, sign, hours, minutes = match.groups()
    try:
        year, month, day, hour, minute, second = (int(f) for f in fields)
        moment = dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
        # An offset is 23:59 at most (RFC 3339, section 5.6).
        dt.time(int(hours or 0), int(minutes or 0))
    except ValueError as e:
        raise errors.InvalidInput("timestamp", [f"{text!r}: {e}"]) from e
    offset_s = 60 * (60 * int(hours or 0) + int(minutes or 0)) * (-1 if sign == "-" else 1)
    seconds = (moment - _EPOCH) // _SECOND - offset_s
    return seconds * 1000 + int(((fraction or "") + "000")[:3])


_EXAMPLE = "2026-01-31T23:59:59Z"


def format_seconds(instant: Instant) -> str:
    """Write an instant as `metav1.Time`: whole seconds, rounded down."""
    return _text(instant) + "Z"


def format_micros(instant: Instant) -> str:
    """Write an instant as `metav1.MicroTime`: six digits after the point."""
    return f"{_text(instant)}.{instant % 1000:03d}000Z"


def _text(instant: Instant) -> str:
    moment = _EPOCH + instant // 1000 * _SECOND
    return moment.isoformat(timespec="seconds").removesuffix("+00:00")
