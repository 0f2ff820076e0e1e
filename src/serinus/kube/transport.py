"""The one module that talks HTTP: sends a `Request`, turns what goes wrong into our errors."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import aiohttp
import yarl

from serinus import errors
from serinus.clock import Clock
from serinus.kube import statuses
from serinus.kube.config import proxy
from serinus.kube.config.connection import Connection
from serinus.kube.config.credentials import Credentials
from serinus.kube.requests import Request

_HEADER_SIZE_MAX = 64 * 1024
_KEEPALIVE = (
    ("TCP_KEEPIDLE", 30),
    ("TCP_KEEPALIVE", 30),  # the same on macOS
    ("TCP_KEEPINTVL", 10),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 60_000),
)


class Transport:
    """One HTTP session with one API server."""

    def __init__(
        self,
        connection: Connection,
        *,
        request_timeout_ms: int,
        user_agent: str,
        clock: Clock,
        on_warning: Callable[[str], None] | None,
    ) -> None:
        self._connection = connection
        self._timeout_ms = request_timeout_ms
        self._clock = clock
        self._credentials = Credentials(connection, clock)
        self._on_warning = on_warning
        self._session: aiohttp.ClientSession | None = None
        self._proxy = proxy.of(connection, os.environ)
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}
        if connection.as_user:
            self._headers["Impersonate-User"] = connection.as_user
        if connection.as_uid:
            self._headers["Impersonate-Uid"] = connection.as_uid

    async def close(self) -> None:
        """Close all connections; a second call does nothing."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            # Sockets of aborted connections are closed in the loop's next turn.
            await asyncio.sleep(0)

    async def send(self, request: Request) -> bytes:
        """Send a request and return the whole body of its answer.

        Raises:
            ClusterError: the server refused, or did not answer.
        """
        limits = aiohttp.ClientTimeout(total=self._timeout_ms / 1000)
        for attempt in range(2):
            try:
                async with self._answer(request, limits) as response:
                    return await response.read()
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as e:
                # The server may close an idle connection in the moment that we use it.
                if attempt or not request.is_read or isinstance(e, aiohttp.ClientConnectorError):
                    raise self._unavailable(request, e) from e
            except (aiohttp.ClientError, OSError, ValueError) as e:
                raise self._unavailable(request, e) from e
        raise errors.InvariantViolation("a request is sent at most twice")

    async def stream(
        self,
        request: Request,
        *,
        limit_ms: int | None,
        keep_rest: bool = False,
        on_open: Callable[[], None] | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Yield the lines of an answer as they come.

        Args:
            request: what to ask for.
            limit_ms: the most that the whole may last before it counts as half-open; None: no end.
            keep_rest: whether a last line without its end counts, or was cut off.
            on_open: called once the server has agreed.

        Raises:
            ClusterError: the server refused, the connection broke, or the limit has passed.
        """
        loop = asyncio.get_running_loop()
        deadline = None if limit_ms is None else loop.time() + limit_ms / 1000
        # No answer at all is another matter than a stream that is quiet.
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_ms / 1000)
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(self._timeout_ms / 1000):
                    response = await stack.enter_async_context(self._answer(request, limits))
                if on_open is not None:
                    on_open()
                rest = b""
                while True:
                    async with asyncio.timeout_at(deadline):
                        chunk = await response.content.readany()
                    if not chunk:
                        break
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield line
                if rest and keep_rest:
                    yield rest
        except (aiohttp.ClientError, OSError, ValueError) as e:
            raise self._unavailable(request, e) from e

    @contextlib.asynccontextmanager
    async def _answer(
        self, request: Request, limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send, with one more try at most when the server does not know us any more."""
        response = await self._send_once(request, limits)
        if response.status == 401 and self._credentials.renew():
            response.release()
            response = await self._send_once(request, limits)
        try:
            if self._on_warning is not None:
                for text in statuses.warnings(response.headers.getall("Warning", [])):
                    self._on_warning(text)
            if response.status >= 300:
                raise statuses.of_answer(
                    response.status,
                    await response.read(),
                    what=request.what,
                    retry_after=response.headers.get("Retry-After"),
                )
            yield response
        finally:
            # A stream that is left early: a polite end of TLS would wait for the server, and
            # outlive the session.
            connection = response.connection
            if connection is not None and connection.transport is not None:
                connection.transport.abort()
            response.close()

    async def _send_once(
        self, request: Request, limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        connection = self._connection
        is_tls = connection.server.startswith("https:")
        headers = [*self._headers.items(), *(await self._credentials.headers()).items()]
        headers += [("Impersonate-Group", group) for group in connection.as_groups]
        headers += [
            (f"Impersonate-Extra-{key}", value)
            for key, values in connection.as_extra
            for value in values
        ]
        own = {name.lower() for name, _ in request.headers}
        headers = [pair for pair in headers if pair[0].lower() not in own]
        return await self._open_session().request(
            request.method,
            yarl.URL(connection.server + request.target, encoded=True),
            headers=[*headers, *request.headers],
            # aiohttp warns of long bodies that are given as bytes.
            data=io.BytesIO(request.body) if request.body else None,
            timeout=limits,
            allow_redirects=False,
            proxy=self._proxy,
            ssl=await self._credentials.ssl_context() if is_tls else True,
            server_hostname=connection.tls_server_name if is_tls else None,
        )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # Each watch holds a connection; a limit would make requests wait for watches.
                connector=aiohttp.TCPConnector(limit=0, socket_factory=_socket),
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=_HEADER_SIZE_MAX,
                max_field_size=_HEADER_SIZE_MAX,
            )
            # aiohttp would send a PUT or DELETE again by itself, and there is no public switch
            # (aiohttp 3.14, client.py, IDEMPOTENT_METHODS): a write is repeated by whoever made it.
            self._session._retry_connection = False  # noqa: SLF001
        return self._session

    def _unavailable(self, request: Request, error: Exception) -> errors.Unavailable:
        server = self._connection.words
        advice = (
            "check that the cluster runs, or choose another one with --context or --kubeconfig"
            " (`kubectl config get-contexts` lists them)"
        )
        match error:
            case aiohttp.ClientConnectorCertificateError():
                words = f"the TLS certificate of {server} is not trusted: {_root(error)}"
                advice = "check certificate-authority and tls-server-name in the kubeconfig"
            case aiohttp.ClientConnectorSSLError():
                words = f"no TLS connection with {server}: {_root(error)}"
                advice = "check the server's address and the client certificate in the kubeconfig"
            case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
                # An answer's own text repeats the address with its password.
                why = (
                    f"{error.status} {error.message}"
                    if isinstance(error, aiohttp.ClientHttpProxyError)
                    else _root(error)
                )
                words = f"the proxy {_without_password(self._proxy)} gave no way to {server}: {why}"
                advice = "check proxy-url in the kubeconfig and HTTPS_PROXY in the environment"
            case aiohttp.ClientConnectorError():
                words = f"cannot reach the API server {server}: {_root(error)}"
            case TimeoutError():
                words = f"the API server {server} did not answer in time"
            case aiohttp.ClientOSError() | aiohttp.ServerDisconnectedError():
                words = f"the connection to the API server {server} broke: {_root(error)}"
            case _:
                words = f"no proper answer from the API server {server}: {_root(error)}"
        if not request.is_read and not isinstance(error, aiohttp.ClientConnectorError):
            advice = "the write may have happened all the same: read again before you repeat it"
        return errors.Unavailable(f"cannot {request.what}: {words}; {advice}")


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """Make a socket that notices within a minute when the other side is no longer there.

    client-go does so by a ping after 30 s of silence (k8s.io/apimachinery, pkg/util/net/http.go).
    """
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


def _root(error: Exception) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    words = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None)
    if words is None or words.startswith("Connect call failed"):
        # asyncio hides the reason behind the address, but keeps its number.
        number = getattr(cause, "errno", None)
        words = os.strerror(number) if number else str(cause)
    return str(words) or type(cause).__name__


def _without_password(url: str | None) -> str:
    return str(yarl.URL(url).with_user(None)) if url else "(none)"
