"""The middleware for ASGI: Starlette, FastAPI, Django, Quart, Litestar."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

from serinus.assignment.split import TAG_HEADER, Assignment
from serinus.middleware import choosing
from serinus.middleware.choosing import Counts, Outcome
from serinus.middleware.context import current
from serinus.middleware.plan import Plan
from serinus.rules.tree import Request

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_TAG = TAG_HEADER.encode()
_ANSWERS = ("http.response.start", "websocket.accept")


class AsgiMiddleware:
    """Give each request and WebSocket its version, and say so to the application and the client.

    `trust_tag` is for inner hops that only trusted hops can reach: the tag that came with the
    request decides. Without it whatever the client sent as a tag is dropped. `claims` returns the
    payload of the JWT that something before has verified, from the scope.
    """

    def __init__(
        self,
        app: App,
        plan: Plan,
        *,
        trust_tag: bool = False,
        claims: Callable[[Scope], Mapping[str, Any] | None] | None = None,
    ) -> None:
        self._app = app
        self._plan = plan
        self._trust_tag = trust_tag
        self._claims = claims
        self._prepared: tuple[Assignment | None, dict[bytes, str]] = (None, {})
        self.counts = Counts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the ASGI server."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        outcome = self.choose(scope)
        tag = (_TAG, outcome.version.value.encode())
        others = [pair for pair in scope["headers"] if pair[0] != _TAG]
        told = [tag]
        if outcome.set_cookie is not None:
            told.append((b"set-cookie", outcome.set_cookie.encode()))
        token = current.set(outcome.version)
        try:
            await self._app({**scope, "headers": [*others, tag]}, receive, _telling(send, told))
        finally:
            current.reset(token)

    def choose(self, scope: Scope) -> Outcome:
        """Return what the request of a scope gets."""
        if self._trust_tag:
            tags = [value for name, value in scope["headers"] if name == _TAG]
            tag = tags[0].decode("latin-1") if len(tags) == 1 else None
            found = choosing.by_tag(tag, self.counts)
            if found is not None:
                return found
        assignment = self._plan.current()
        if assignment is None:
            return choosing.without_plan(self.counts)
        return choosing.by_plan(assignment, self._request(scope, assignment), self.counts)

    def _request(self, scope: Scope, assignment: Assignment) -> Request:
        prepared, wanted = self._prepared
        if prepared is not assignment:
            wanted = {name.encode(): name for name in assignment.split.header_names | {"host"}}
            self._prepared = (assignment, wanted)
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            if name in wanted:
                text = value.decode("utf-8", "surrogateescape")
                headers.setdefault(wanted[name], []).append(text)
        hosts, client = headers.get("host"), scope.get("client")
        query = scope.get("query_string")
        return Request(
            scope.get("method", "GET"),
            _path(scope),
            query.decode("utf-8", "surrogateescape") if query else None,
            hosts[0] if hosts else None,
            headers,
            client[0] if client else None,
            self._claims(scope) if self._claims is not None else None,
            time.time_ns() // 1_000_000,
        )


def _path(scope: Scope) -> str:
    raw = scope.get("raw_path")
    if raw:
        # Some servers leave the query in it.
        return str(raw.partition(b"?")[0].decode("utf-8", "surrogateescape"))
    return choosing.as_sent(scope["path"])


def _telling(send: Send, told: list[tuple[bytes, bytes]]) -> Send:
    """Return `send` that adds these headers to the beginning of the answer."""

    async def telling(message: MutableMapping[str, Any]) -> None:
        if message["type"] in _ANSWERS:
            others = [pair for pair in message.get("headers", ()) if pair[0].lower() != _TAG]
            message = {**message, "headers": [*others, *told]}
        await send(message)

    return telling
