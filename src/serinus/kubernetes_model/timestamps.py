"""Instants as Kubernetes writes them."""

from __future__ import annotations

import datetime as dt
import functools
import re

from serinus.clock import Instant

_MICRO = re.compile(r".*T\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")


@functools.lru_cache(maxsize=256)
def _of_second(second: int) -> str:
    moment = dt.datetime.fromtimestamp(second, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def time(now: Instant) -> str:
    """Return a `Time`: whole seconds."""
    return _of_second(now // 1000)


def micro_time(now: Instant) -> str:
    """Return a `MicroTime`."""
    return f"{_of_second(now // 1000)[:-1]}.{now % 1000:03d}000Z"


def parse(text: str) -> Instant:
    """Return the instant of a `Time` or `MicroTime`.

    Raises:
        ValueError: it is neither.
    """
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} names no time zone")
    return int(moment.timestamp() * 1000)


def canonical(text: str, *, micro: bool) -> str:
    """Return the form that the API server gives back.

    Raises:
        ValueError: it is no time.
    """
    if micro and not _MICRO.fullmatch(text):
        raise ValueError(f"{text} has no six digits of a second's fraction")
    if text[-1:] == "Z" and len(text) == (27 if micro else 20):
        parse(text)
        return text
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} names no time zone")
    moment = moment.astimezone(dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")
