"""Take connections on a listening socket, and stop at any moment without leaving one hanging.

asyncio's own server drops a connection that it has accepted in the turn in which it is closed: its
client then waits for ever (CPython 3.11, `asyncio.selector_events._accept_connection2`: attaching
to the closed server fails, and nobody closes the socket). Here a connection is in use or not taken:
who still waits when the listening socket is closed gets a reset of the kernel.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

_TAKE_MAX = 256
"""How many connections are taken in one turn of the loop."""
_AFTER_SHORTAGE_S = 0.1
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """Hand every connection to `take`, with its client's address."""

    def __init__(
        self, listener: socket.socket, take: Callable[[socket.socket, str], None], backlog: int
    ) -> None:
        """Begin to take connections on a bound socket.

        Raises:
            OSError: somebody else listens on the address.
        """
        self._listener = listener
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        listener.listen(backlog)
        self._loop.add_reader(listener, self._take_all)

    def close(self) -> None:
        """Refuse new connections; those taken before are not touched."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _take_all(self) -> None:
        for _ in range(_TAKE_MAX):
            try:
                connection, address = self._listener.accept()
            except OSError as e:
                if e.errno in _SHORTAGES:
                    # The socket stays readable: to look again at once would be to spin.
                    self._loop.remove_reader(self._listener)
                    self._timer = self._loop.call_later(_AFTER_SHORTAGE_S, self._look_again)
                # Else nobody is waiting, or the one who waited has left.
                return
            self._take(connection, address[0])

    def _look_again(self) -> None:
        self._loop.add_reader(self._listener, self._take_all)
