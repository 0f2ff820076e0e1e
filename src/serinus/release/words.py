"""How counts and times are said to people."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return `1 pod`, `2 pods`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def seconds(duration_ms: int) -> str:
    """Return `2 s`, `0.5 s`."""
    return f"{duration_ms / 1000:g} s"
