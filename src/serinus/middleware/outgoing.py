"""The tag on the calls that a request makes, so that inner hops stay on its version.

Nothing here imports an HTTP library; each hook fits the one that it is named after. Outside of a
request nothing is added. Give the hooks only to clients of your own services: the tag is yours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from serinus.assignment.split import TAG_HEADER
from serinus.middleware.context import current


def headers() -> dict[str, str]:
    """Return the headers of a call, for any client."""
    version = current.get()
    return {} if version is None else {TAG_HEADER: version.value}


def httpx_hook(request: Any) -> None:
    """Tag a call: `httpx.Client(event_hooks={"request": [httpx_hook]})`."""
    request.headers.update(headers())


async def httpx_async_hook(request: Any) -> None:
    """Tag a call: `httpx.AsyncClient(event_hooks={"request": [httpx_async_hook]})`."""
    request.headers.update(headers())


async def aiohttp_middleware(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
    """Tag a call: `aiohttp.ClientSession(middlewares=[aiohttp_middleware])`, from aiohttp 3.12."""
    request.headers.update(headers())
    return await handler(request)


def tag_requests(session: Any) -> Any:
    """Let a `requests.Session` tag its calls, through all of its adapters; return the session.

    Adapters that are mounted later are not reached.
    """
    for prefix, adapter in list(session.adapters.items()):
        if not isinstance(adapter, _TaggingAdapter):
            session.mount(prefix, _TaggingAdapter(adapter))
    return session


class _TaggingAdapter:
    """A transport of requests that adds the tag and leaves the rest to another."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def send(self, request: Any, **options: Any) -> Any:
        request.headers.update(headers())
        return self._adapter.send(request, **options)

    def close(self) -> None:
        self._adapter.close()
