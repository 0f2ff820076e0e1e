"""One caller's connection: its requests are answered one after the other, however they arrive.

What is complete is answered in the turn in which its request came; a stream has a task, which ends
with the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http
import sys
import traceback
from collections.abc import AsyncGenerator, Callable
from email.utils import formatdate
from typing import Protocol, cast

import msgspec

from serinus.clock import Clock
from serinus.local_cluster.http1 import Request, RequestError, RequestReader
from serinus.local_cluster.server.serving.call import Reply

# What etcd takes in one request by default is 1.5 MiB; the API server reads up to 3 MiB.
BODY_MAX = 3 * 1024 * 1024
_PAUSE_ABOVE = 65_536
_IDLE_S = 630.0
_LAST_READ_S = 1.0
"""For how long a caller whose request made no sense is listened to, so that it gets its answer."""
_TEXT = "text/plain; charset=utf-8"


class Stream(msgspec.Struct, frozen=True):
    """An answer that goes on for as long as its caller stays."""

    content_type: str
    chunks: AsyncGenerator[bytes, None]
    ended: Callable[[], None]
    """Called once, however the stream ended, even when it never began."""


class Answers(Protocol):
    """What a connection asks of the server that it belongs to."""

    clock: Clock

    def answer(self, request: Request) -> Reply | Stream:
        """Return the answer to a request, whatever it is."""
        ...

    def opened(self, connection: Connection) -> None:
        """Take note of a new connection."""
        ...

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        ...


class Connection(asyncio.Protocol):
    """Read requests, and write answers and streams."""

    def __init__(self, server: Answers) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(body_max=BODY_MAX)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stream: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._was_used = True
        self._paused = False
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.opened(self)
        self._timer = self._loop.call_later(_IDLE_S, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, however it came."""
        del exc
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        if self._stream is not None:
            # A watcher that left must not be kept until something happens.
            self._stream.cancel()
        self._server.closed(self)

    def close_when_answered(self) -> None:
        """Close now, or after the stream that is under way."""
        self._closing = True
        if self._stream is None and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close in the middle of whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        """Hear that the caller reads too slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Hear that the caller has caught up."""
        self._writable.set()
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        if self._closing:
            return
        self._was_used = True
        self._reader.feed(data)
        self._go_on()
        if self._reader.buffered_count > _PAUSE_ABOVE and self._transport and not self._paused:
            self._transport.pause_reading()
            self._paused = True

    def _go_on(self) -> None:
        """Answer until a request has to wait, or there is none."""
        while (
            self._stream is None
            and not self._closing
            and self._transport is not None
            and self._writable.is_set()
        ):
            try:
                request = self._reader.next()
            except RequestError as e:
                self._refuse(e)
                return
            if request is None:
                self._await_more(self._transport)
                return
            answer = self._server.answer(request)
            if isinstance(answer, Stream):
                self._begin(answer, request)
            else:
                self._send(answer, request)

    def _await_more(self, transport: asyncio.Transport) -> None:
        if self._paused:
            transport.resume_reading()
            self._paused = False
        if self._reader.invites_body():
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _send(self, reply: Reply, request: Request) -> None:
        if self._transport is None:
            return
        body = b"" if request.head.method == "HEAD" else reply.body
        head = self._head(reply.status, reply.content_type)
        length = len(reply.body)
        if reply.headers or not request.keep_alive:
            rest = _lines(reply.headers, keep_alive=request.keep_alive)
            self._transport.write(b"%sContent-Length: %d\r\n%s\r\n%s" % (head, length, rest, body))
        else:
            self._transport.write(b"%sContent-Length: %d\r\n\r\n%s" % (head, length, body))
        if not request.keep_alive:
            self.close_when_answered()

    def _refuse(self, error: RequestError) -> None:
        """Say what is wrong and close, in a while.

        Closing with unread bytes in the socket makes the kernel send a reset, which can overtake
        the answer (RFC 9112, 9.6).
        """
        transport = self._transport
        if transport is None:
            return
        body = f"{error}\n".encode()
        head = self._head(error.status, _TEXT)
        transport.write(b"%sContent-Length: %d\r\nConnection: close\r\n\r\n" % (head, len(body)))
        transport.write(body)
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_LAST_READ_S, transport.close)

    def _head(self, status: int, content_type: str) -> bytes:
        return _head(status, content_type, self._server.clock.now_ms() // 1000)

    def _begin(self, stream: Stream, request: Request) -> None:
        task = self._stream = self._loop.create_task(self._pump(stream, request))
        task.add_done_callback(lambda _: self._streamed(task, stream, request))

    async def _pump(self, stream: Stream, request: Request) -> None:
        transport = self._transport
        if transport is None:
            return
        # Before 1.1 there were no chunks: the end of the connection is the end of the stream.
        request.keep_alive &= not request.head.is_1_0
        rest = _lines((), keep_alive=request.keep_alive)
        if not request.head.is_1_0:
            rest += b"Transfer-Encoding: chunked\r\n"
        transport.write(b"%s%s\r\n" % (self._head(200, stream.content_type), rest))
        async with contextlib.aclosing(stream.chunks) as chunks:
            async for chunk in chunks:
                if chunk:
                    whole = chunk if request.head.is_1_0 else b"%x\r\n%s\r\n" % (len(chunk), chunk)
                    transport.write(whole)
                    await self._writable.wait()
        if not request.head.is_1_0:
            transport.write(b"0\r\n\r\n")

    def _streamed(self, task: asyncio.Task[None], stream: Stream, request: Request) -> None:
        self._stream = None
        stream.ended()
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            # The head has been sent: to break off is all that is left to say.
            traceback.print_exception(error, file=sys.stderr)
            self.abort()
        elif self._closing or not request.keep_alive:
            self.close_when_answered()
        else:
            self._go_on()

    def _close_if_idle(self) -> None:
        if self._stream is None and not self._was_used and self._transport is not None:
            self._transport.close()
            return
        self._was_used = False
        self._timer = self._loop.call_later(_IDLE_S, self._close_if_idle)


@functools.lru_cache(64)
def _head(status: int, content_type: str, now_s: int) -> bytes:
    """Return the lines that most answers of a second have in common."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Status"
    return (
        f"HTTP/1.1 {status} {phrase}\r\nDate: {formatdate(now_s, usegmt=True)}\r\n"
        f"Content-Type: {content_type}\r\nCache-Control: no-cache, private\r\n"
    ).encode()


def _lines(headers: tuple[tuple[str, str], ...], *, keep_alive: bool) -> bytes:
    """Return header lines; what a caller sent and is told again makes no lines of its own."""
    said = (*headers, *(() if keep_alive else (("Connection", "close"),)))
    lines = (f"{name}: {' '.join(value.splitlines())}\r\n" for name, value in said)
    return "".join(lines).encode("utf-8", "replace")
