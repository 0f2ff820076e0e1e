"""Being told when a socket can be read, for sockets that live for a few milliseconds.

An event loop takes as long to begin and end watching a socket as the system needs for a small
answer on it. On Linux all sockets of a listener are in an epoll of its own, which the loop watches.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Callable
from typing import Protocol

_EVENTS_MAX = 256


class Readiness(Protocol):
    """Calls back whenever a descriptor can be read, its end and its reset included."""

    def watch(self, fd: int, call: Callable[[], None]) -> None:
        """Begin to watch a descriptor."""
        ...

    def rest(self, fd: int) -> None:
        """Watch it no longer, while it stays open."""
        ...

    def forget(self, fd: int) -> None:
        """Watch it no longer; it is closed right after."""
        ...

    def close(self) -> None:
        """Watch nothing any more."""
        ...


class Nested:
    """An epoll within the event loop's own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll()
        loop.add_reader(self._epoll.fileno(), self._call_all)

    def watch(self, fd: int, call: Callable[[], None]) -> None:
        """Begin to watch a descriptor."""
        self._calls[fd] = call
        self._epoll.register(fd, select.EPOLLIN)

    def rest(self, fd: int) -> None:
        """Watch it no longer, while it stays open."""
        if self._calls.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def forget(self, fd: int) -> None:
        """Watch it no longer; it is closed right after."""
        # With its last descriptor a socket leaves an epoll by itself.
        self._calls.pop(fd, None)

    def close(self) -> None:
        """Watch nothing any more."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _call_all(self) -> None:
        calls = self._calls
        for fd, _ in self._epoll.poll(0, _EVENTS_MAX):
            # One of these calls may have closed another's socket. A new socket cannot have taken
            # its number yet, since none is opened here.
            call = calls.get(fd)
            if call is not None:
                call()


class OfLoop:
    """The event loop itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def watch(self, fd: int, call: Callable[[], None]) -> None:
        """Begin to watch a descriptor."""
        self._loop.add_reader(fd, call)

    def rest(self, fd: int) -> None:
        """Watch it no longer, while it stays open."""
        self._loop.remove_reader(fd)

    def forget(self, fd: int) -> None:
        """Watch it no longer; it is closed right after."""
        self._loop.remove_reader(fd)

    def close(self) -> None:
        """Do nothing: what was watched was forgotten."""


def readiness(loop: asyncio.AbstractEventLoop) -> Readiness:
    """Return the cheapest way that this system has."""
    return Nested(loop) if sys.platform == "linux" else OfLoop(loop)
