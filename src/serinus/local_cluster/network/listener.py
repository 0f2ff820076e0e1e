"""One address on which a Service's port is reached."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

from serinus import errors
from serinus.local_cluster.network.accepting import Acceptor
from serinus.local_cluster.network.balancer import Balancer
from serinus.local_cluster.network.services import Address
from serinus.local_cluster.network.splice import Splice

_BACKLOG_COUNT = 4096


class AddressError(errors.DataPlaneError):
    """The address cannot be listened on: somebody has it, or it is not for us to take."""

    def __init__(self, address: Address, error: OSError) -> None:
        # Not this machine's, or a low port that only root may have.
        self.is_beyond_us = error.errno in {errno.EADDRNOTAVAIL, errno.EACCES}
        self.is_taken = error.errno == errno.EADDRINUSE
        super().__init__(f"{address[0]}:{address[1]}: {error.strerror or error}")


class Listener:
    """Listen while there are endpoints; refuse connections while there are none, as kube-proxy."""

    def __init__(
        self,
        address: Address,
        balancer: Balancer,
        failed: Callable[[Address, OSError], None],
    ) -> None:
        self.address = address
        self.balancer = balancer
        self._acceptor: Acceptor | None = None
        self._splice = Splice(asyncio.get_running_loop(), balancer.choose, failed)

    @property
    def is_open(self) -> bool:
        """Whether connections are taken."""
        return self._acceptor is not None

    @property
    def connection_count(self) -> int:
        """How many clients are connected."""
        return len(self._splice.open)

    async def open(self) -> None:
        """Begin to take connections; a second call does nothing.

        Raises:
            AddressError: somebody else has the address, or it is not ours to take.
        """
        if self._acceptor is not None:
            return
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        listener = socket.socket(family)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Accepted sockets inherit it, so it costs nothing per connection.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
            listener.bind(self.address)
            self._acceptor = Acceptor(listener, self._splice.take, _BACKLOG_COUNT)
        except OSError as e:
            listener.close()
            raise AddressError(self.address, e) from e

    def close(self) -> None:
        """Refuse new connections; those that are there stay."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
            self._splice.release()

    def cut(self) -> None:
        """End all connections."""
        self.close()
        for connection in tuple(self._splice.open):
            connection.cut()
