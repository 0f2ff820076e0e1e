"""Count what a client asks of an API server: a plain HTTP gateway between the two."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import yaml
from aiohttp import web

from serinus.kube.config import Connection
from serinus.kube.config.credentials import Credentials
from serinus.process import SystemClock

_OF_THE_HOP = {"host", "connection", "transfer-encoding", "content-length", "content-encoding"}
_BODY_MAX = 64 * 2**20


class Asked(msgspec.Struct, frozen=True):
    """One request that went through."""

    method: str
    path: str
    is_watch: bool

    @property
    def is_aside(self) -> bool:
        """Tell whether it is an Event or a Lease, which are counted apart."""
        return "/events" in self.path or "/leases" in self.path

    @property
    def is_write(self) -> bool:
        """Tell whether it may have changed something of a release."""
        return self.method != "GET" and not self.is_aside

    @property
    def is_status(self) -> bool:
        """Tell whether it wrote the status of a CanaryRelease."""
        return self.is_write and self.path.endswith("/status")

    @property
    def is_read(self) -> bool:
        """Tell whether it read something, but for the watches that stand all the time."""
        return self.method == "GET" and not self.is_watch and not self.is_aside


class Gateway:
    """Every request since the last `forget`."""

    def __init__(self, connection: Connection, session: aiohttp.ClientSession) -> None:
        self.asked: list[Asked] = []
        self._connection, self._session = connection, session
        self._credentials = Credentials(connection, SystemClock())

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, and its answer back piece by piece."""
        self.asked.append(Asked(request.method, request.path, "watch" in request.query))
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _OF_THE_HOP}
        headers |= await self._credentials.headers()
        async with self._session.request(
            request.method,
            self._connection.server + request.raw_path,
            headers=headers,
            data=await request.read() or None,
            ssl=await self._credentials.ssl_context(),
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _OF_THE_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
            return response


@contextlib.asynccontextmanager
async def counting(connection: Connection, kubeconfig: Path) -> AsyncIterator[Gateway]:
    """Serve for the block, and write the kubeconfig of a client that goes through the gateway."""
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        gateway = Gateway(connection, session)
        app = web.Application(client_max_size=_BODY_MAX)
        app.router.add_route("*", "/{path:.*}", gateway.handle)
        # A watch ends when its client goes, and not with the last event loop.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            text = _kubeconfig(f"http://127.0.0.1:{runner.addresses[0][1]}")
            await asyncio.to_thread(kubeconfig.write_text, text)
            yield gateway
        finally:
            await runner.cleanup()


def _kubeconfig(url: str) -> str:
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gateway", "cluster": {"server": url}}],
        "contexts": [{"name": "gateway", "context": {"cluster": "gateway", "user": "gateway"}}],
        "users": [{"name": "gateway", "user": {}}],
        "current-context": "gateway",
    }
    return yaml.safe_dump(body)
