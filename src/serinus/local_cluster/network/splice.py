"""One proxied connection: bytes from client to endpoint and back, with back-pressure.

Bytes are handed from one socket to the other as they come. Each direction ends on its own: what
one side's FIN says is told to the other side, and the answer may still come. A reset on one side
is a reset on the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import cast

from serinus.local_cluster.network.services import Address

_EARLY_MAX = 262_144
"""How many bytes of a client are held while its endpoint is being connected."""
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
_WRITE_HIGH = 262_144


class Splice:
    """What the two sides of a proxied connection are told about it."""

    __slots__ = ("choose", "failed", "loop", "open")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        choose: Callable[[str], Address | None],
        failed: Callable[[Address, OSError], None],
    ) -> None:
        self.loop = loop
        self.choose = choose
        self.failed = failed
        self.open: set[ClientSide] = set()


class _Side(asyncio.Protocol):
    """One of the two sockets; `peer` is the other side once it is connected."""

    __slots__ = ("eof", "peer", "transport")

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: _Side | None = None
        self.eof = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=_WRITE_HIGH)

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        peer = self.peer
        if peer is not None and peer.transport is not None:
            peer.transport.write(data)

    def eof_received(self) -> bool:
        """Hear that the other end has said all that it had to say."""
        self.eof = True
        peer = self.peer
        if peer is None or peer.transport is None:
            return True
        if peer.eof:
            # Both have said all; what is still buffered for the peer is written before its FIN.
            peer.transport.close()
            return False
        peer.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """Hear that the other end reads too slowly."""
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """Hear that the other end has caught up."""
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, however it came."""
        transport, peer = self.transport, self.peer
        self.transport = None
        if transport is None or peer is None or peer.transport is None:
            return
        if exc is None and self.eof and peer.eof:
            peer.transport.close()
        else:
            reset(peer.transport)


class EndpointSide(_Side):
    """The socket to the endpoint."""

    __slots__ = ()

    def __init__(self, client: ClientSide) -> None:
        super().__init__()
        self.peer = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        cast("ClientSide", self.peer).connected(self)


class ClientSide(_Side):
    """The socket that a client opened to us."""

    __slots__ = ("_early", "_early_count", "_held", "_splice", "_task")

    def __init__(self, splice: Splice) -> None:
        super().__init__()
        self._splice = splice
        self._early: list[bytes] = []
        self._early_count = 0
        self._held = False
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        splice = self._splice
        splice.open.add(self)
        name = transport.get_extra_info("peername")
        endpoint = splice.choose(name[0] if name else "")
        if endpoint is None:
            reset(transport)
            return
        self._task = splice.loop.create_task(self._connect(endpoint))

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        peer = self.peer
        if peer is not None:
            if peer.transport is not None:
                peer.transport.write(data)
            return
        # The endpoint is not connected yet. On uvloop a pause_reading() in connection_made does
        # not hold, so that first bytes can come at any time and are kept.
        self._early.append(data)
        self._early_count += len(data)
        if self._early_count > _EARLY_MAX and not self._held and self.transport is not None:
            self.transport.pause_reading()
            self._held = True

    async def _connect(self, endpoint: Address) -> None:
        try:
            await self._splice.loop.create_connection(
                lambda: EndpointSide(self), endpoint[0], endpoint[1]
            )
        except OSError as e:
            self._splice.failed(endpoint, e)
            if self.transport is not None:
                reset(self.transport)
        finally:
            self._task = None

    def connected(self, side: EndpointSide) -> None:
        """Take the endpoint's side, and give it what came early."""
        to_endpoint = side.transport
        if to_endpoint is None:
            return
        if self.transport is None:
            # The client left while we connected.
            reset(to_endpoint)
            return
        self.peer = side
        if self._early:
            to_endpoint.write(b"".join(self._early))
            self._early.clear()
        if self.eof:
            to_endpoint.write_eof()
        if self._held:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, however it came."""
        self._splice.open.discard(self)
        if self._task is not None and self.peer is None:
            self._task.cancel()
        super().connection_lost(exc)

    def cut(self) -> None:
        """End the connection with a reset."""
        if self.transport is not None:
            reset(self.transport)


def reset(transport: asyncio.BaseTransport) -> None:
    """Close so that the peer sees a reset, and not an end that it could take for a whole answer."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    cast("asyncio.Transport", transport).abort()
