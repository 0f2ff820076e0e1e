"""Take connections on a listening socket, and stop at any moment without leaving one hanging.

asyncio's own server drops a connection that it has accepted in the turn in which it is closed: its
client then waits for ever (CPython 3.11, `asyncio.selector_events._accept_connection2`: attaching
to the closed server fails, and nobody closes the socket). uvloop's server does not, and is faster.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

_TAKE_MAX = 256
"""How many connections are taken in one turn of the loop."""


class Accepting(Protocol):
    """What can be told to take no more connections."""

    def close(self) -> None:
        """Refuse new connections from now on."""
        ...


class _Reader:
    """Take connections whenever the socket is readable."""

    def __init__(self, listener: socket.socket, factory: Callable[[], asyncio.Protocol]) -> None:
        self._listener = listener
        self._factory = factory
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[object]] = set()

    def start(self, backlog: int) -> None:
        self._listener.listen(backlog)
        self._loop.add_reader(self._listener, self._take)

    def close(self) -> None:
        """Refuse new connections; those taken before go on to their protocol."""
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _take(self) -> None:
        for _ in range(_TAKE_MAX):
            try:
                connection, _address = self._listener.accept()
            except OSError:
                # Nobody is waiting, or the one who waited has left.
                return
            connection.setblocking(False)  # noqa: FBT003 - the socket module's own signature
            made = self._loop.connect_accepted_socket(self._factory, connection)
            task = self._loop.create_task(made)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def accept(
    listener: socket.socket, factory: Callable[[], asyncio.Protocol], backlog: int
) -> Accepting:
    """Begin to take connections on a bound socket.

    Raises:
        OSError: somebody else listens on the address.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.SelectorEventLoop):
        return await loop.create_server(factory, sock=listener, backlog=backlog)
    reader = _Reader(listener, factory)
    reader.start(backlog)
    return reader
