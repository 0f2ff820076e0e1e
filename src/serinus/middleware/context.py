"""The version that the present request got."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from serinus.assignment.intervals import Version

current: ContextVar[Version | None] = ContextVar("serinus_version", default=None)
"""None outside of a request."""


def version() -> str:
    """Return `canary` or `stable`; outside of a request it is `stable`."""
    found = current.get()
    return Version.STABLE.value if found is None else found.value


@contextlib.contextmanager
def using(name: str) -> Iterator[None]:
    """Let the block have this version: for tests, and jobs that belong to an earlier request."""
    token = current.set(Version(name))
    try:
        yield
    finally:
        current.reset(token)
