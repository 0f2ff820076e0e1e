"""Real servers on loopback that answer well, badly, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

Handler = Callable[["Visit"], Awaitable[None]]


class Visit:
    """One connection as the server sees it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.number = number

    async def request(self) -> bytes:
        """Return the next head, or nothing when the client has closed."""
        try:
            return await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def body(self, count: int) -> bytes:
        return await self._reader.readexactly(count)

    async def say(self, data: bytes) -> None:
        self._writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class Server:
    """Where a server listens, and how often it was visited and asked."""

    def __init__(self) -> None:
        self.port = 0
        self.visits = 0
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/"


@contextlib.asynccontextmanager
async def serving(
    handler: Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Server]:
    """Serve each connection with `handler`, which closes it by returning."""
    server = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.visits += 1
        try:
            await handler(Visit(reader, writer, server.visits))
        except asyncio.CancelledError:
            pass  # The test is over; asyncio.streams would log the cancelled task as an error.
        finally:
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    listener = await asyncio.start_server(visit, host, 0, ssl=tls, backlog=512)
    server.port = listener.sockets[0].getsockname()[1]
    server.scheme = "https" if tls else "http"
    try:
        yield server
    finally:
        listener.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()


def answer(version: str = "v1", *, body: bytes = b"hello", extra: str = "") -> bytes:
    """Return a well-formed answer."""
    head = f"HTTP/1.1 200 OK\r\nX-Serinus-Version: {version}\r\nContent-Length: {len(body)}\r\n"
    return (head + extra + "\r\n").encode() + body


def polite(version: str = "v1", *, extra: str = "") -> Handler:
    """Answer every request on a connection until the client closes it."""

    async def handle(visit: Visit) -> None:
        while await visit.request():
            await visit.say(answer(version, extra=extra))

    return handle


def saying(data: bytes) -> Handler:
    """Take one request, say `data`, close."""

    async def handle(visit: Visit) -> None:
        await visit.request()
        if data:
            await visit.say(data)

    return handle
