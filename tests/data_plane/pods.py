"""Pods for the tests: the web server of the local cluster, and one that misbehaves when told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from serinus.process import spawn, stop
from tests.data_plane.waiting import until_connectable


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def web_pod(version: str, **options: str) -> AsyncIterator[str]:
    """Run the local cluster's web image as a process; yield its address."""
    port = free_port()
    environment = {
        **os.environ,
        "SERINUS_VERSION": version,
        "SERINUS_LISTEN": f"127.0.0.1:{port}",
        **{f"SERINUS_WEB_{name.upper()}": value for name, value in options.items()},
    }
    command = [sys.executable, "-m", "serinus.local_cluster.images.web"]
    process = await spawn(command, env=environment, die_with_parent=True)
    try:
        await until_connectable("127.0.0.1", port)
        yield f"127.0.0.1:{port}"
    finally:
        await stop(process, grace_ms=100)


@dataclass
class Heard:
    """A request as a pod got it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Pod:
    """A server in this process that notes what it hears, and fails as it is told."""

    version: str
    address: str = ""
    behaviour: str = "answer"
    """answer, fail (500), fail-third, reset, hang, slow."""
    heard: list[Heard] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.heard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answer(reader, writer):
                    pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.heard.append(Heard(method, target, headers, body))
        if headers.get("upgrade", "").lower() == "websocket":
            await self._echo(reader, writer)
            return False
        if self.behaviour == "reset":
            writer.transport.abort()
            return False
        if self.behaviour == "hang":
            await asyncio.Event().wait()
        if self.behaviour == "slow":
            await asyncio.sleep(1)
        fails = self.behaviour == "fail" or (self.behaviour == "fail-third" and self.count % 3 == 0)
        status = "500 Internal Server Error" if fails else "200 OK"
        lines = [f"HTTP/1.1 {status}", f"X-Serinus-Version: {self.version}", "Content-Length: 0"]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        return True

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Accept whatever the handshake says, and send back what comes."""
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()

    def parameters(self, index: int = -1) -> str:
        return urlsplit(self.heard[index].target).query


@contextlib.asynccontextmanager
async def pod(version: str, behaviour: str = "answer") -> AsyncIterator[Pod]:
    """Serve in this process for the block."""
    found = Pod(version, behaviour=behaviour)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(found.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=4096, limit=2**20)
    host, port = server.sockets[0].getsockname()
    found.address = f"{host}:{port}"
    try:
        yield found
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def refusing() -> Iterator[str]:
    """Yield the address of a port that nobody listens on."""
    yield f"127.0.0.1:{free_port()}"
