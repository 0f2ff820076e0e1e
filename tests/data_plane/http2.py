"""A client and a pod that speak HTTP/2 from the first byte, as gRPC does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events

Pairs = list[tuple[str, str]]


@dataclass
class Message:
    """Headers, body and trailers of one side."""

    headers: Pairs = field(default_factory=list)
    body: bytes = b""
    trailers: Pairs = field(default_factory=list)


def _connection(*, client: bool) -> h2.connection.H2Connection:
    config = h2.config.H2Configuration(client_side=client, header_encoding="utf-8")
    return h2.connection.H2Connection(config)


async def call(port: int, headers: Pairs, parts: list[bytes]) -> Message:
    """Call a method with several messages on one stream; return the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connection = _connection(client=True)
    connection.initiate_connection()
    connection.send_headers(1, headers)
    for part in parts:
        connection.send_data(1, part)
    connection.end_stream(1)
    writer.write(connection.data_to_send())
    answer = Message()
    try:
        async with asyncio.timeout(10):
            while True:
                for event in connection.receive_data(await reader.read(65_536)):
                    if isinstance(event, h2.events.StreamEnded):
                        return answer
                    _take(event, answer, connection)
                writer.write(connection.data_to_send())
    finally:
        writer.close()


def _take(event: h2.events.Event, message: Message, connection: h2.connection.H2Connection) -> None:
    if isinstance(event, h2.events.ResponseReceived | h2.events.RequestReceived):
        message.headers = [(str(k), str(v)) for k, v in event.headers or ()]
    elif isinstance(event, h2.events.TrailersReceived):
        message.trailers = [(str(k), str(v)) for k, v in event.headers or ()]
    elif isinstance(event, h2.events.DataReceived):
        message.body += event.data or b""
        connection.acknowledge_received_data(
            event.flow_controlled_length or 0, event.stream_id or 0
        )


@contextlib.asynccontextmanager
async def grpc_pod(heard: list[Message]) -> AsyncIterator[str]:
    """Echo what comes as a gRPC server does: the status stands in the trailers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _connection(client=False)
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        requests: dict[int, Message] = {}
        while data := await reader.read(65_536):
            for event in connection.receive_data(data):
                stream: int = getattr(event, "stream_id", 0) or 0
                request = requests.setdefault(stream, Message())
                _take(event, request, connection)
                if isinstance(event, h2.events.StreamEnded):
                    heard.append(request)
                    headers = [(":status", "200"), ("content-type", "application/grpc")]
                    connection.send_headers(stream, headers)
                    connection.send_data(stream, request.body)
                    connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)
            writer.write(connection.data_to_send())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()
