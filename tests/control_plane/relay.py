"""Lead connections from outside a network namespace to a port of 127.0.0.1 inside it.

A listening socket stays in the network that it was made in, whoever accepts from it: it is made
outside and inherited.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

_CHUNK_BYTES = 65_536


def listen() -> socket.socket:
    """Listen on a free port of 127.0.0.1, for a child to accept from."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.set_inheritable(True)
    return listening


@contextlib.asynccontextmanager
async def running(listening: socket.socket, port: int) -> AsyncIterator[None]:
    """Accept from a socket for as long as the block lasts, and lead each connection on."""

    async def lead_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        inner_writer.close()
        writer.close()

    server = await asyncio.start_server(lead_on, sock=listening)
    try:
        yield
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
        # One side may end while the other still has something to say.
        writer.write_eof()
