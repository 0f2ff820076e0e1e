"""Proxied connections: bytes from client to endpoint and back, with back-pressure.

Sockets by hand: transports and tasks would be most of what a short connection costs beyond its
system calls, and over loopback a client's first bytes are with the endpoint in the turn in which it
was accepted. Each direction ends on its own: what one side's FIN says is told to the other side,
and the answer may still come. A reset on one side is a reset on the other.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Callable

from serinus.local_cluster.network.readiness import Readiness, readiness
from serinus.local_cluster.network.services import Address

_READ_SIZE = 65_536
_EARLY_MAX = 262_144
"""How many bytes of a client are held while its endpoint is being connected."""
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
_DONE = frozenset({0, errno.EISCONN})
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK})


class Splice:
    """Connect the clients of one listener with endpoints."""

    __slots__ = ("_choose", "_failed", "_is_needed", "_readiness", "loop", "open")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        choose: Callable[[str], Address | None],
        failed: Callable[[Address, OSError], None],
    ) -> None:
        self.loop = loop
        self.open: set[Connection] = set()
        self._choose = choose
        self._failed = failed
        self._is_needed = False
        self._readiness: Readiness | None = None

    def take(self, client: socket.socket, host: str) -> None:
        """Connect a client that was accepted with the endpoint that is drawn for it."""
        address = self._choose(host)
        if address is None:
            _reset(client)
            return
        try:
            if self._readiness is None:
                self._readiness = readiness(self.loop)
            client.setblocking(False)  # noqa: FBT003 - the socket module's own signature
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            endpoint = socket.socket(family, socket.SOCK_STREAM)
        except OSError as e:
            self._failed(address, e)
            _reset(client)
            return
        self._is_needed = True
        connection = Connection(self, self._readiness, client, endpoint)
        self.open.add(connection)
        connection.connect(address)

    def failed(self, address: Address, number: int) -> None:
        """Tell that an endpoint could not be connected."""
        self._failed(address, OSError(number, os.strerror(number)))

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self.open.discard(connection)
        self._let_go()

    def release(self) -> None:
        """Hold nothing of the system's beyond the connections that are open."""
        self._is_needed = False
        self._let_go()

    def _let_go(self) -> None:
        if self._readiness is not None and not self.open and not self._is_needed:
            self._readiness.close()
            self._readiness = None


class Connection:
    """A client and its endpoint."""

    __slots__ = ("_client", "_endpoint", "_splice", "is_over")

    def __init__(
        self, splice: Splice, ready: Readiness, client: socket.socket, endpoint: socket.socket
    ) -> None:
        self.is_over = False
        self._splice = splice
        self._client = _Side(self, splice.loop, ready, client)
        self._endpoint = _Side(self, splice.loop, ready, endpoint)
        self._client.peer, self._endpoint.peer = self._endpoint, self._client

    def connect(self, address: Address) -> None:
        """Begin; over loopback the endpoint is connected when this returns."""
        sock = self._endpoint.sock
        try:
            sock.setblocking(False)  # noqa: FBT003 - the socket module's own signature
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = sock.connect_ex(address)
            if number in _UNDER_WAY:
                # Over loopback it is done by now, and asking again tells so.
                number = sock.connect_ex(address)
        except OSError as e:
            number = e.errno or errno.EIO
        if number in _DONE:
            # What a client says first is mostly there by now, and its endpoint can begin with it.
            self._client.read()
            if not self.is_over:
                self._endpoint.watch()
                self._client.watch()
        elif number in _UNDER_WAY:
            self._endpoint.backlog = bytearray()
            self._splice.loop.add_writer(self._endpoint.fd, self._connected, address)
            self._client.watch()
        else:
            self._fail(address, number)

    def _connected(self, address: Address) -> None:
        number = self._endpoint.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._fail(address, number)
            return
        self._endpoint.watch()
        self._client.rest()
        self._endpoint.flush()

    def _fail(self, address: Address, number: int) -> None:
        self._splice.failed(address, number)
        self.cut()

    def end(self) -> None:
        """Close: both sides have said all that they had to say, and all of it was handed on."""
        if not self.is_over:
            self.is_over = True
            self._client.close()
            self._endpoint.close()
            self._splice.closed(self)

    def cut(self) -> None:
        """End with a reset, which nobody can take for the end of a whole answer."""
        if not self.is_over:
            _reset_at_close(self._client.sock)
            _reset_at_close(self._endpoint.sock)
            self.end()


class _Side:
    """One of the two sockets; what comes from it goes to `peer`."""

    __slots__ = ("_loop", "_owner", "_ready", "backlog", "fd", "has_ended", "peer", "sock")

    peer: _Side

    def __init__(
        self,
        owner: Connection,
        loop: asyncio.AbstractEventLoop,
        ready: Readiness,
        sock: socket.socket,
    ) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.has_ended = False
        self.backlog: bytearray | None = None
        """What is to be written as soon as the socket takes it; None: it takes what comes."""
        self._owner = owner
        self._loop = loop
        self._ready = ready

    def watch(self) -> None:
        """Read whenever there is something, unless there can be nothing or it has to wait."""
        if not self.has_ended and not self.peer.backlog:
            self._ready.watch(self.fd, self.read)

    def rest(self) -> None:
        """Read no more for now."""
        self._ready.rest(self.fd)

    def close(self) -> None:
        """Close the socket; what is in the backlog is lost."""
        self._ready.forget(self.fd)
        if self.backlog is not None:
            self._loop.remove_writer(self.fd)
        self.sock.close()

    def read(self) -> None:
        """Hand on what has come."""
        try:
            data = self.sock.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            self._owner.cut()
            return
        if data:
            self.peer.write(data)
            return
        self.has_ended = True
        if self.peer.backlog is None:
            self.peer.hear_end()
        if not self._owner.is_over:
            self.rest()

    def write(self, data: bytes) -> None:
        """Write now what the socket takes, and the rest later, for which the peer has to wait."""
        backlog = self.backlog
        if backlog is not None:
            # Only while the socket is being connected: else the peer is not read.
            backlog += data
            if len(backlog) > _EARLY_MAX:
                self.peer.rest()
            return
        count = self._send(data)
        if 0 <= count < len(data):
            self.backlog = bytearray(memoryview(data)[count:])
            self.peer.rest()
            self._loop.add_writer(self.fd, self.flush)

    def flush(self) -> None:
        """Write what the socket takes of the backlog; after all of it the peer may go on."""
        backlog = self.backlog
        if backlog is None:
            return
        count = self._send(backlog)
        if count < 0:
            return
        del backlog[:count]
        if backlog:
            self._loop.add_writer(self.fd, self.flush)
            return
        self.backlog = None
        self._loop.remove_writer(self.fd)
        if self.peer.has_ended:
            self.hear_end()
        else:
            self.peer.watch()

    def _send(self, data: bytes | bytearray) -> int:
        """Return how many bytes the socket took; -1 when all is over."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._owner.cut()
            return -1

    def hear_end(self) -> None:
        """Tell this side, which has all by now, that the other has said all; after both, close."""
        if self.has_ended and self.peer.backlog is None:
            self._owner.end()
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._owner.cut()


def _reset_at_close(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    except OSError:
        # The other end has left already.
        return


def _reset(sock: socket.socket) -> None:
    """Close so that the other end sees a reset."""
    _reset_at_close(sock)
    sock.close()
