"""One client's connection to the web server."""

from __future__ import annotations

import asyncio
import random
from typing import Protocol, cast

from serinus.local_cluster.http1 import Request, RequestError, RequestReader

_PAUSE_ABOVE = 65_536
_LAST_READ_S = 1.0
"""How long a client that was told `Connection: close` may take to close, too."""
_REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 405: "Method Not Allowed"}


class Answers(Protocol):
    """What a connection asks of the server that it belongs to."""

    draining: bool
    delay_ms: int

    def answer(self, request: Request) -> tuple[int, bytes, bytes]:
        """Return status, header lines (each with its CRLF) and body."""
        ...

    def opened(self, connection: Connection) -> None:
        """Take note of a new connection."""
        ...

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        ...


class Connection(asyncio.Protocol):
    """Answer the requests of one connection one after the other, however they arrive."""

    def __init__(self, server: Answers) -> None:
        self._server = server
        self._reader = RequestReader()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: Request | None = None
        self._paused = False
        self._writable = True
        self._finished = False

    @property
    def is_busy(self) -> bool:
        """Whether a request has come, at least in part, that is not answered yet."""
        return self._waiting is not None or (not self._finished and self._reader.is_within_request)

    def close_when_idle(self) -> None:
        """Close now, unless a request is under way, whose answer then closes."""
        if not self.is_busy and self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, however it came."""
        del exc
        if self._timer is not None:
            self._timer.cancel()
        self._waiting, self._transport = None, None
        self._server.closed(self)

    def eof_received(self) -> bool:
        """Hear that the other end has said all that it had to say."""
        if self._waiting is None:
            return False
        # The client has said all that it had to say, and still wants its answer.
        self._waiting.keep_alive = False
        return True

    def pause_writing(self) -> None:
        """Hear that the other end reads too slowly."""
        self._writable = False

    def resume_writing(self) -> None:
        """Hear that the other end has caught up."""
        self._writable = True
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        if self._finished:
            return
        self._reader.feed(data)
        self._go_on()
        if self._reader.buffered_count > _PAUSE_ABOVE and self._transport and not self._finished:
            self._transport.pause_reading()
            self._paused = True

    def _go_on(self) -> None:
        """Answer until a request has to wait, or there is none."""
        while (
            self._transport is not None
            and self._waiting is None
            and self._writable
            and not self._finished
        ):
            try:
                request = self._reader.next()
            except RequestError as e:
                self._send(e.status, b"", f"{e}\n".encode(), keep_alive=False, head_only=False)
                return
            if request is None:
                self._invite_body()
                return
            if self._server.delay_ms:
                self._waiting = request
                delay_s = self._server.delay_ms / 1000
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(delay_s, self._delayed)
            else:
                self._answer(request)

    def _delayed(self) -> None:
        request, self._waiting = self._waiting, None
        if request is not None:
            self._answer(request)
            self._go_on()

    def _invite_body(self) -> None:
        if self._paused and self._transport is not None:
            self._transport.resume_reading()
            self._paused = False
        if self._reader.invites_body() and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer(self, request: Request) -> None:
        status, headers, body = self._server.answer(request)
        keep_alive = request.keep_alive and not self._server.draining
        head_only = request.head.method == "HEAD"
        self._send(status, headers, body, keep_alive=keep_alive, head_only=head_only)

    def _send(
        self, status: int, headers: bytes, body: bytes, *, keep_alive: bool, head_only: bool
    ) -> None:
        if self._transport is None:
            return
        reason = _REASONS.get(status, "Status")
        connection = b"keep-alive" if keep_alive else b"close"
        head = b"HTTP/1.1 %d %s\r\n%sContent-Length: %d\r\nConnection: %s\r\n\r\n" % (
            status,
            reason.encode(),
            headers,
            len(body),
            connection,
        )
        self._transport.write(head if head_only else head + body)
        if not keep_alive:
            self._finish()

    def _finish(self) -> None:
        """Close so that the client surely gets its answer.

        Closing with unread bytes in the socket makes the kernel send a reset, which can overtake
        the answer (RFC 9112, 9.6): half-close, and drop what comes until the client closes, too.
        """
        transport = self._transport
        if transport is None:
            return
        self._finished = True
        if self._paused:
            transport.resume_reading()
        transport.write_eof()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_LAST_READ_S, transport.close)


def draw(share: float) -> bool:
    """Return True with this probability."""
    return share > 0 and random.random() < share  # noqa: S311 - chance, not a secret
