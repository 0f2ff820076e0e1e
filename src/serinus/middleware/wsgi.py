"""The middleware for WSGI: Flask, Django, Pyramid, Bottle."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from serinus.assignment.split import TAG_HEADER, Assignment
from serinus.middleware import choosing
from serinus.middleware.choosing import Counts, Outcome
from serinus.middleware.context import current
from serinus.middleware.plan import Plan
from serinus.rules.tree import Request

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
App: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

_SPECIAL = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def _variable(header: str) -> str:
    return _SPECIAL.get(header) or "HTTP_" + header.upper().replace("-", "_")


_TAG = _variable(TAG_HEADER)


class WsgiMiddleware:
    """Give each request its version, and say so to the application and the client.

    `trust_tag` is for inner hops that only trusted hops can reach: the tag that came with the
    request decides. Without it whatever the client sent as a tag is dropped. `claims` returns the
    payload of the JWT that something before has verified, from the environ.
    """

    def __init__(
        self,
        app: App,
        plan: Plan,
        *,
        trust_tag: bool = False,
        claims: Callable[[Environ], Mapping[str, Any] | None] | None = None,
    ) -> None:
        self._app = app
        self._plan = plan
        self._trust_tag = trust_tag
        self._claims = claims
        self._prepared: tuple[Assignment | None, dict[str, str]] = (None, {})
        self.counts = Counts()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request of the WSGI server."""
        outcome = self.choose(environ)
        environ[_TAG] = outcome.version.value
        context = contextvars.copy_context()
        context.run(current.set, outcome.version)
        body = context.run(self._app, environ, _telling(start_response, outcome))
        # A list is whole; anything else may run code of the application while it is read.
        return body if isinstance(body, list | tuple) else _InContext(context, body)

    def choose(self, wsgi_environ: Environ) -> Outcome:
        """Return what the request of an environ gets."""
        if self._trust_tag:
            found = choosing.by_tag(wsgi_environ.get(_TAG), self.counts)
            if found is not None:
                return found
        assignment = self._plan.current()
        if assignment is None:
            return choosing.without_plan(self.counts)
        return choosing.by_plan(assignment, self._request(wsgi_environ, assignment), self.counts)

    def _request(self, wsgi_environ: Environ, assignment: Assignment) -> Request:
        prepared, wanted = self._prepared
        if prepared is not assignment:
            wanted = {_variable(name): name for name in assignment.split.header_names}
            self._prepared = (assignment, wanted)
        query, host = wsgi_environ.get("QUERY_STRING"), wsgi_environ.get("HTTP_HOST")
        return Request(
            wsgi_environ["REQUEST_METHOD"],
            _path(wsgi_environ),
            _text(query) if query else None,
            _text(host) if host is not None else None,
            {
                name: (_text(wsgi_environ[variable]),)
                for variable, name in wanted.items()
                # Servers give these two also where the request has none.
                if variable in wsgi_environ
                and (wsgi_environ[variable] or variable.startswith("HTTP_"))
            },
            wsgi_environ.get("REMOTE_ADDR") or None,
            self._claims(wsgi_environ) if self._claims is not None else None,
            time.time_ns() // 1_000_000,
        )


class _InContext:
    """The body of a response, each part of which is made where the version is known."""

    def __init__(self, context: contextvars.Context, body: Iterable[bytes]) -> None:
        self._context = context
        self._body = body
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        self._parts = self._context.run(iter, self._body)
        return self

    def __next__(self) -> bytes:
        if self._parts is None:
            self._parts = self._context.run(iter, self._body)
        return self._context.run(next, self._parts)

    def close(self) -> None:
        """Tell the application that its body is no longer read."""
        close = getattr(self._body, "close", None)
        if close is not None:
            self._context.run(close)


def _text(found: str) -> str:
    """Return what the bytes say that WSGI gives as latin-1."""
    return found if found.isascii() else found.encode("latin-1").decode("utf-8", "surrogateescape")


def _path(wsgi_environ: Environ) -> str:
    """Return the path as sent where the server tells it, else made from the decoded one."""
    raw = wsgi_environ.get("RAW_URI") or wsgi_environ.get("REQUEST_URI")
    if isinstance(raw, str) and raw.startswith("/"):
        return _text(raw.partition("?")[0])
    decoded = wsgi_environ.get("SCRIPT_NAME", "") + wsgi_environ.get("PATH_INFO", "")
    return choosing.as_sent(decoded.encode("latin-1"))


def _telling(start_response: StartResponse, outcome: Outcome) -> StartResponse:
    """Return `start_response` that adds the version, and the id cookie."""

    def telling(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
        told = [pair for pair in headers if pair[0].lower() != TAG_HEADER]
        told.append((TAG_HEADER, outcome.version.value))
        if outcome.set_cookie is not None:
            told.append(("set-cookie", outcome.set_cookie))
        return start_response(status, told, *error)

    return telling
