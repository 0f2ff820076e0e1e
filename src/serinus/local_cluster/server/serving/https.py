"""HTTPS: a connection for each caller, requests turned into calls, errors into answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
import sys
import traceback
from collections.abc import Sequence

from serinus import errors
from serinus.clock import Clock
from serinus.kubernetes_model import failures
from serinus.local_cluster.http1 import Request
from serinus.local_cluster.server.serving.call import JSON, Call, Reply, json_reply, parse_target
from serinus.local_cluster.server.serving.connection import BODY_MAX, Connection, Stream
from serinus.local_cluster.server.serving.dispatch import Dispatch
from serinus.local_cluster.server.serving.guard import Guard, too_large
from serinus.local_cluster.server.verbs.pod_logs import LogOptions, PodLogs
from serinus.local_cluster.server.verbs.watches import Watch
from serinus.local_cluster.state_folder import StateFolder

_RELEASED_WITHIN_S = 2.0
_LAST_ANSWERS_S = 1.0


def tls_context(folder: StateFolder) -> ssl.SSLContext:
    """Return the server's side of TLS, with the cluster's certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder.server_certificate, folder.server_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Front:
    """Turn requests into calls, and errors into answers."""

    def __init__(self, dispatch: Dispatch, guard: Guard, logs: PodLogs, clock: Clock) -> None:
        self.clock = clock
        self._dispatch = dispatch
        self._guard = guard
        self._logs = logs
        self._watches: set[Watch] = set()
        self._connections: set[Connection] = set()
        self._all_closed = asyncio.Event()
        self._stopping = False

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
                    lambda: Connection(self), "127.0.0.1", port, ssl=context, backlog=1024
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
        self._stopping = True
        for watch in tuple(self._watches):
            watch.close()
        for connection in tuple(self._connections):
            connection.close_when_answered()
        if self._connections:
            self._all_closed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_ANSWERS_S):
                    await self._all_closed.wait()
        for connection in tuple(self._connections):
            connection.abort()

    def opened(self, connection: Connection) -> None:
        """Take note of a new connection."""
        self._connections.add(connection)
        if self._stopping:
            connection.close_when_answered()

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()

    def answer(self, request: Request) -> Reply | Stream:
        """Return the answer to a request, whatever it is."""
        head = request.head
        try:
            # The absolute form is for proxies, and names nothing here.
            segments, query = parse_target(head.target if head.target.startswith("/") else "")
            user = self._guard.user(segments, head.headers)
            if request.is_cut:
                raise too_large(BODY_MAX)
            call = Call(head.method, segments, query, head.headers, request.body, user)
            answer = self._dispatch.answer(call)
            if isinstance(answer, Watch):
                return self._watch(answer)
        except errors.ClusterError as e:
            return _refusal(e)
        except Exception as e:  # noqa: BLE001  (a defect costs one answer, not the cluster)
            traceback.print_exc(file=sys.stderr)
            return _refusal(errors.Unavailable(f"the server failed: {e!r}", code=500))
        if isinstance(answer, LogOptions):
            return Stream("text/plain", self._logs.chunks(answer), lambda: None)
        return answer

    def _watch(self, watch: Watch) -> Stream:
        watch.start()
        self._watches.add(watch)

        def ended() -> None:
            self._watches.discard(watch)
            watch.stop()

        return Stream(JSON, watch.chunks(), ended)


def _all_taken(ports: Sequence[int], cause: OSError) -> errors.RefusedError:
    tried = str(ports[0]) if len(ports) == 1 else f"{min(ports)}-{max(ports)}"
    return errors.RefusedError(
        "PortTaken",
        f"cannot listen on 127.0.0.1:{tried}: {cause.strerror or cause}; stop what listens there, "
        "or choose another port with `serinus local up --port`",
    )


def _refusal(error: errors.ClusterError) -> Reply:
    status = failures.status(error)
    reply = json_reply(status, status["code"])
    if error.retry_after_ms is not None:
        seconds = str(max(1, error.retry_after_ms // 1000))
        return Reply(reply.body, reply.status, headers=(("Retry-After", seconds),))
    return reply
