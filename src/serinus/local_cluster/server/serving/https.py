"""HTTPS: aiohttp's low-level server, one handler, no middlewares."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import sys
import traceback
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from serinus import errors
from serinus.kubernetes_model import failures
from serinus.local_cluster.server.serving.call import JSON, Call, Reply, json_reply, parse_target
from serinus.local_cluster.server.serving.dispatch import Dispatch
from serinus.local_cluster.server.serving.guard import Guard, too_large
from serinus.local_cluster.server.verbs.pod_logs import LogOptions, PodLogs
from serinus.local_cluster.server.verbs.watches import Watch
from serinus.local_cluster.state_folder import StateFolder

# What etcd takes in one request by default is 1.5 MiB; the API server reads up to 3 MiB.
_BODY_MAX = 3 * 1024 * 1024
_RELEASED_WITHIN_S = 2.0
# Long selectors travel in the request line; 64 KiB are enough for about a thousand names.
_LINE_MAX = 64 * 1024
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def tls_context(folder: StateFolder) -> ssl.SSLContext:
    """Return the server's side of TLS, with the cluster's certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder.server_certificate, folder.server_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Front:
    """Turn requests into calls, and answers and streams into responses."""

    def __init__(self, dispatch: Dispatch, guard: Guard, logs: PodLogs) -> None:
        self._dispatch = dispatch
        self._guard = guard
        self._logs = logs
        self._watches: set[Watch] = set()
        self._server = web.Server(
            self._handle,
            # A watcher that left must not be kept until something happens.
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=630,
            max_line_size=_LINE_MAX,
            max_field_size=_LINE_MAX,
        )

    async def listen(
        self, ports: Sequence[int], context: ssl.SSLContext
    ) -> tuple[asyncio.AbstractServer, int]:
        """Listen on loopback, on the first port that is free. Return also the port.

        Raises:
            RefusedError: all are taken.
        """
        loop = asyncio.get_running_loop()
        # The one port of a cluster that was just killed may be held for a moment by its remains.
        end = loop.time() + (_RELEASED_WITHIN_S if len(ports) == 1 else 0.0)
        for port in itertools.cycle(ports):
            try:
                listening = await loop.create_server(
                    self._server, "127.0.0.1", port, ssl=context, backlog=1024
                )
            except OSError as e:
                if port == ports[-1] and loop.time() >= end:
                    raise _all_taken(ports, e) from e
                await asyncio.sleep(0.02 if len(ports) == 1 else 0)
            else:
                return listening, int(listening.sockets[0].getsockname()[1])
        raise errors.InvariantViolation("there was no port to listen on")

    async def stop(self) -> None:
        """End all streams and connections."""
        for watch in tuple(self._watches):
            watch.close()
        await self._server.shutdown(1.0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            segments, query = parse_target(request.raw_path if _is_plain(request) else "")
            user = self._guard.user(segments, request.headers)
            body = b""
            if request.method in _WITH_BODY:
                body = await _read(request)
            call = Call(request.method, segments, query, request.headers, body, user)
            answer = self._dispatch.answer(call)
            if isinstance(answer, Watch):
                return await self._watch(request, answer)
            if isinstance(answer, LogOptions):
                return await _stream(request, "text/plain", self._logs.chunks(answer))
        except errors.ClusterError as e:
            answer = _refusal(e)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as e:  # noqa: BLE001  (a defect costs one answer, not the cluster)
            traceback.print_exc(file=sys.stderr)
            answer = _refusal(errors.Unavailable(f"the server failed: {e!r}", code=500))
        return _response(answer)

    async def _watch(self, request: web.BaseRequest, watch: Watch) -> web.StreamResponse:
        watch.start()
        self._watches.add(watch)
        try:
            return await _stream(request, JSON, watch.chunks())
        finally:
            self._watches.discard(watch)
            watch.stop()


def _all_taken(ports: Sequence[int], cause: OSError) -> errors.RefusedError:
    tried = str(ports[0]) if len(ports) == 1 else f"{min(ports)}-{max(ports)}"
    return errors.RefusedError(
        "PortTaken",
        f"cannot listen on 127.0.0.1:{tried}: {cause.strerror or cause}; stop what listens there, "
        "or choose another port with `serinus local up --port`",
    )


def _is_plain(request: web.BaseRequest) -> bool:
    """Tell a path from the absolute form that proxies use."""
    return request.raw_path.startswith("/")


async def _read(request: web.BaseRequest) -> bytes:
    length = request.content_length
    if length is not None and length > _BODY_MAX:
        raise too_large(_BODY_MAX)
    body = await request.content.read(_BODY_MAX + 1)
    while not request.content.at_eof():
        if len(body) > _BODY_MAX:
            raise too_large(_BODY_MAX)
        body += await request.content.read(_BODY_MAX + 1 - len(body))
    return body


def _response(reply: Reply) -> web.Response:
    headers = [("Content-Type", reply.content_type), ("Cache-Control", "no-cache, private")]
    headers += reply.headers
    return web.Response(body=reply.body, status=reply.status, headers=headers)


def _refusal(error: errors.ClusterError) -> Reply:
    status = failures.status(error)
    reply = json_reply(status, status["code"])
    if error.retry_after_ms is not None:
        seconds = str(max(1, error.retry_after_ms // 1000))
        return Reply(reply.body, reply.status, headers=(("Retry-After", seconds),))
    return reply


async def _stream(
    request: web.BaseRequest, content_type: str, chunks: AsyncIterator[bytes]
) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"Content-Type": content_type, "Cache-Control": "no-cache, private"}
    )
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
    except ConnectionError:
        # The caller left, which is how most watches end.
        return response
    return response
