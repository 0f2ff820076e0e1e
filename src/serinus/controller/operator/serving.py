"""What the kubelet and Prometheus ask: /healthz, /readyz and /metrics."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from serinus import errors


@contextlib.asynccontextmanager
async def serving(
    host: str,
    port: int,
    *,
    is_healthy: Callable[[], bool],
    is_ready: Callable[[], bool],
    metrics: Callable[[], bytes],
) -> AsyncIterator[int]:
    """Serve for as long as the block runs; yield the port, which is chosen where 0 was asked.

    Raises:
        RefusedError: the port is taken.
    """

    def answer(is_good: Callable[[], bool]) -> Callable[[web.Request], object]:
        async def handle(_: web.Request) -> web.Response:
            good = is_good()
            return web.Response(text="ok" if good else "not yet", status=200 if good else 503)

        return handle

    async def handle_metrics(_: web.Request) -> web.Response:
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=metrics(), headers=headers)

    app = web.Application()
    app.router.add_get("/healthz", answer(is_healthy))  # type: ignore[arg-type] # a handler
    app.router.add_get("/readyz", answer(is_ready))  # type: ignore[arg-type] # a handler
    app.router.add_get("/metrics", handle_metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise errors.RefusedError(
                "PortTaken", f"cannot listen on {host}:{port}: {error.strerror}; choose --port"
            ) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
