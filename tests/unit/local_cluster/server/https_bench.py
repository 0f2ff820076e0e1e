"""A server in this process, and a plain HTTPS client for it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from serinus.local_cluster.server.process import Server
from serinus.local_cluster.state_folder import StateFolder

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


class Caller:
    """Call the server as the holder of its token."""

    def __init__(self, session: aiohttp.ClientSession, base: str, token: str) -> None:
        self.session = session
        self.base = base
        self.headers = {"Authorization": f"Bearer {token}", "User-Agent": "bench/1.0 (test)"}

    async def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        status, _, document = await self.full(method, path, body, **headers)
        return status, document

    async def full(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        sent = {"Content-Type": "application/json", **self.headers, **named}
        async with self.session.request(
            method, f"{self.base}{path}", data=data and io.BytesIO(data), headers=sent
        ) as response:
            content = await response.read()
            document = json.loads(content) if content[:1] in {b"{", b"["} else {}
            return response.status, dict(response.headers), document

    async def get(self, path: str, **headers: str) -> dict[str, Any]:
        status, document = await self.send("GET", path, **headers)
        assert status == 200, document
        return document

    async def make(self, name: str, **data: str) -> dict[str, Any]:
        status, document = await self.send("POST", CONFIG_MAPS, config_map(name, None, **data))
        assert status == 201, document
        return document

    @contextlib.asynccontextmanager
    async def watch(self, path: str, **headers: str) -> AsyncIterator[Events]:
        sign = "&" if "?" in path else "?"
        sent = {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        async with self.session.get(f"{self.base}{path}{sign}watch=1", headers=sent) as response:
            assert response.status == 200, await response.text()
            yield Events(response)


class Events:
    """The lines of one watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> tuple[str, dict[str, Any]]:
        line = await self._response.content.readline()
        assert line, "the stream has ended"
        event = json.loads(line)
        return event["type"], event["object"]

    async def names(self, count: int) -> list[tuple[str, str]]:
        found = [await self.next() for _ in range(count)]
        return [(type_, item["metadata"]["name"]) for type_, item in found]

    async def at_end(self) -> bool:
        return await self._response.content.readline() == b""


def config_map(name: str, /, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@contextlib.asynccontextmanager
async def serving(path: Path) -> AsyncIterator[tuple[Server, Caller]]:
    """Run a server over a folder for a while."""
    server = Server(path)
    port = await server.start(0)
    folder = StateFolder(path)
    context = ssl.create_default_context(cafile=str(folder.ca_certificate))
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            token = folder.token.read_text()
            yield server, Caller(session, f"https://127.0.0.1:{port}", token)
    finally:
        await server.stop()


async def until(condition: Callable[[], Awaitable[bool]], limit_s: float = 20.0) -> None:
    """Wait for a condition of the world, which nothing here could signal."""
    async with asyncio.timeout(limit_s):
        while not await condition():  # noqa: ASYNC110  (what is waited for is another process)
            await asyncio.sleep(0.01)
