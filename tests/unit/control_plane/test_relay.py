"""Connections are led on both ways, also when one side ends first."""

from __future__ import annotations

import asyncio

from tests.control_plane import relay


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write((await reader.read()).upper())
    writer.close()


async def test_what_is_sent_comes_back_though_the_sender_has_ended() -> None:
    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    inner = server.sockets[0].getsockname()[1]
    listening = relay.listen()
    outer = listening.getsockname()[1]
    async with server, relay.running(listening, inner):
        reader, writer = await asyncio.open_connection("127.0.0.1", outer)
        writer.write(b"who is there")
        writer.write_eof()
        assert await reader.read() == b"WHO IS THERE"
        writer.close()


async def test_a_connection_is_closed_where_nobody_listens_inside() -> None:
    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    inner = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    listening = relay.listen()
    async with relay.running(listening, inner):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        assert await reader.read() == b""
        writer.close()
