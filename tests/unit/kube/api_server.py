"""A small API server for tests: it stores objects, and breaks in the ways that real ones do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Recorded:
    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes
    peer: Any

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def status_body(code: int, reason: str, message: str, **details: Any) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }


def failure(code: int, reason: str, message: str, **details: Any) -> web.Response:
    return web.json_response(status_body(code, reason, message, **details), status=code)


@dataclass
class ApiServer:
    url: str = ""
    objects: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    log: list[tuple[int, str, str, dict[str, Any]]] = field(default_factory=list)
    version: int = 100
    oldest: int = 0
    requests: list[Recorded] = field(default_factory=list)
    next_watches: deque[Handler] = field(default_factory=deque)
    next_answers: deque[Handler] = field(default_factory=deque)
    open_watches: int = 0
    watching: set[asyncio.Transport] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    # --- the world's own moves

    def put(self, plural: str, namespace: str, name: str, **content: Any) -> dict[str, Any]:
        key = (plural, namespace, name)
        before = self.objects.get(key)
        metadata = {**(before or {}).get("metadata", {}), **content.pop("metadata", {})}
        metadata |= {"name": name, "namespace": namespace}
        metadata.setdefault("uid", f"uid-{self.version}")
        return self._store(
            key, {**content, "metadata": metadata}, "MODIFIED" if before else "ADDED"
        )

    def remove(self, plural: str, namespace: str, name: str) -> None:
        key = (plural, namespace, name)
        self._store(key, self.objects[key], "DELETED")
        del self.objects[key]

    def compact(self) -> None:
        """Forget all changes up to now, as etcd does every five minutes.

        Only new watches notice: to those that are open the changes are on their way.
        """
        self.oldest = self.version

    def drop_watches(self) -> None:
        """Break all connections over which somebody watches."""
        for transport in list(self.watching):
            transport.abort()

    async def until(self, condition: Callable[[], bool], timeout_s: float = 10) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                await self.changed.wait()

    def notify(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def _store(self, key: tuple[str, str, str], body: dict[str, Any], event: str) -> dict[str, Any]:
        self.version += 1
        body = json.loads(json.dumps(body))
        body["metadata"]["resourceVersion"] = str(self.version)
        if event != "DELETED":
            self.objects[key] = body
        self.log.append((self.version, event, key[0], body))
        self.notify()
        return body

    # --- HTTP

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        peer = request.transport.get_extra_info("peername") if request.transport else None
        self.requests.append(
            Recorded(request.method, request.path, dict(request.query), request.headers, body, peer)
        )
        self.notify()
        is_watch = request.query.get("watch") == "true"
        special = self.next_watches if is_watch else self.next_answers
        if special:
            return await special.popleft()(request)
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.36.3"})
        namespace, plural, name = _parts(request.path)
        if is_watch:
            return await self._watch(request, plural, namespace)
        if not name:
            if request.method == "POST":
                return self._create(plural, namespace, json.loads(body))
            return self._list(request, plural, namespace)
        return self._one(request, (plural, namespace, name), body)

    def _create(self, plural: str, namespace: str, body: dict[str, Any]) -> web.Response:
        name = body["metadata"]["name"]
        if (plural, namespace, name) in self.objects:
            words = f'{plural} "{name}" already exists'
            return failure(409, "AlreadyExists", words, name=name, kind=plural)
        return web.json_response(self.put(plural, namespace, name, **body), status=201)

    def _one(self, request: web.Request, key: tuple[str, str, str], body: bytes) -> web.Response:
        known = self.objects.get(key)
        plural, namespace, name = key
        if known is None:
            return failure(404, "NotFound", f'{plural} "{name}" not found', name=name, kind=plural)
        if request.method == "GET":
            return web.json_response(known)
        sent = json.loads(body)
        if request.method == "DELETE":
            uid = sent.get("preconditions", {}).get("uid", known["metadata"]["uid"])
            if uid != known["metadata"]["uid"]:
                return failure(409, "Conflict", "Precondition failed: UID in precondition: ...")
            self.remove(*key)
            return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})
        version = sent.get("metadata", {}).get("resourceVersion")
        if version not in {None, known["metadata"]["resourceVersion"]}:
            words = (
                f'Operation cannot be fulfilled on {plural} "{name}": the object has been modified'
            )
            return failure(409, "Conflict", words, name=name, kind=plural)
        if request.method == "PATCH":
            sent = {**known, **sent, "metadata": {**known["metadata"], **sent.get("metadata", {})}}
        return web.json_response(self.put(plural, namespace, name, **sent))

    def _list(self, request: web.Request, plural: str, namespace: str) -> web.Response:
        found = [
            {k: v for k, v in body.items() if k not in {"kind", "apiVersion"}}
            for key, body in sorted(self.objects.items())
            if key[0] == plural and namespace in {"", key[1]}
        ]
        start = int(request.query.get("continue", 0))
        limit = int(request.query.get("limit", 0)) or len(found)
        metadata = {"resourceVersion": str(self.version)}
        if start + limit < len(found):
            metadata["continue"] = str(start + limit)
        return web.json_response({"metadata": metadata, "items": found[start : start + limit]})

    async def _watch(self, request: web.Request, plural: str, namespace: str) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        response = await stream(request)
        if since < self.oldest:
            # A version that is too old is told inside the stream, not by the HTTP status.
            words = f"too old resource version: {since} ({self.oldest})"
            await send(response, "ERROR", status_body(410, "Expired", words))
            return response
        assert request.transport is not None
        transport = request.transport
        self.watching.add(transport)
        self.open_watches += 1
        self.notify()
        try:
            async with asyncio.timeout(int(request.query["timeoutSeconds"])):
                while True:
                    changed = self.changed
                    for version, event, of, body in [e for e in self.log if e[0] > since]:
                        since = version
                        if of == plural and namespace in {"", body["metadata"]["namespace"]}:
                            await send(response, event, body)
                    await changed.wait()
        except TimeoutError:
            return response
        finally:
            self.watching.discard(transport)
            self.open_watches -= 1
            self.notify()


def _parts(path: str) -> tuple[str, str, str]:
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    return namespace, rest[0], rest[1] if len(rest) > 1 else ""


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    return response


async def send(response: web.StreamResponse, event: str, body: dict[str, Any]) -> None:
    await response.write(json.dumps({"type": event, "object": body}).encode() + b"\n")


def answers(response: Callable[[], web.Response]) -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        return response()

    return handle


def streams_error(code: int, reason: str) -> Handler:
    """Answer a watch with 200 and one ERROR event."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = await stream(request)
        await send(response, "ERROR", status_body(code, reason, f"{reason} in the stream"))
        return response

    return handle


async def resets(request: web.Request) -> web.StreamResponse:
    """Break the connection in the middle of an event."""
    response = await stream(request)
    await response.write(b'{"type":"ADDED","object":{"metadata":{"na')
    assert request.transport is not None
    request.transport.abort()
    return response


def stays_silent(release: asyncio.Event) -> Handler:
    """Open a watch and never say anything, nor end it: what a half-open connection looks like."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = await stream(request)
        await release.wait()
        return response

    return handle


@contextlib.asynccontextmanager
async def running(tls: ssl.SSLContext | None = None) -> AsyncIterator[ApiServer]:
    server = ApiServer()
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        scheme = "http" if tls is None else "https"
        server.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
