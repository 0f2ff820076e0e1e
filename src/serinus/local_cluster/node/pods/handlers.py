"""What probes and lifecycle hooks do: an HTTP request, a connection, a command, a pause."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
from collections.abc import Mapping
from pathlib import Path

import msgspec

from serinus import errors, process
from serinus.local_cluster.node.pods import spec
from serinus.local_cluster.node.pods.spec import Container, Handler, HttpGet, TcpSocket

_ANSWER_MAX = 10_240
_OUTPUT_MAX = 10_240


class HandlerError(errors.DataPlaneError):
    """The handler did not succeed; the message says how, as it stands in an Event."""


class Target(msgspec.Struct, frozen=True):
    """The running container that a handler is for."""

    container: Container
    address: str
    ports: Mapping[int, int]
    env: Mapping[str, str]
    folder: Path | None

    def port(self, wanted: spec.IntOrString) -> int:
        """Return the port to connect to: where the container really listens."""
        number = self.container.port(wanted)
        if number is None:
            raise HandlerError(f'container has no port named "{wanted}"')
        return self.ports.get(number, number)


async def run(handler: Handler, target: Target, timeout_ms: int) -> None:
    """Do what the handler says.

    Raises:
        HandlerError: it did not succeed in time.
    """
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            if handler.exec is not None:
                await _exec(handler.exec, target)
            elif handler.http_get is not None:
                await _http_get(handler.http_get, target)
            elif handler.tcp_socket is not None:
                await _tcp(handler.tcp_socket, target)
            elif handler.sleep is not None:
                await asyncio.sleep(handler.sleep.seconds)
    except TimeoutError as e:
        raise HandlerError(f"no success within {timeout_ms} ms") from e


async def _exec(exec_: spec.Exec, target: Target) -> None:
    command = exec_.command or ()
    if not command:
        raise HandlerError("exec: no command")
    try:
        child = await process.spawn(
            command,
            env=target.env,
            cwd=target.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            die_with_parent=True,
        )
    except OSError as e:
        raise HandlerError(f"exec {command[0]!r}: {e.strerror or e}") from e
    try:
        output, _ = await child.communicate()
    finally:
        process.signal_group(child.pid, signal.SIGKILL)
        if child.returncode is None:
            await child.wait()
    if child.returncode:
        text = output[:_OUTPUT_MAX].decode(errors="replace").strip()
        raise HandlerError(f"command {' '.join(command)} exited with {child.returncode}: {text}")


async def _tcp(tcp: TcpSocket, target: Target) -> None:
    _, writer = await _connect(tcp.host or target.address, target.port(tcp.port), None)
    await _close(writer)


async def _http_get(http: HttpGet, target: Target) -> None:
    host, port = http.host or target.address, target.port(http.port)
    context: ssl.SSLContext | None = None
    if http.scheme.upper() == "HTTPS":
        # The kubelet does not look at the certificate either (pkg/probe/http).
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    path = http.path if http.path.startswith("/") else f"/{http.path}"
    headers = {"host": f"{host}:{port}", "user-agent": "kube-probe/1.36", "accept": "*/*"}
    headers |= {h.name.lower(): h.value for h in http.http_headers or ()}
    lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    reader, writer = await _connect(host, port, context)
    try:
        writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode())
        status_line = await reader.readline()
        parts = status_line.split(b" ", 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/") or not parts[1].isdigit():
            raise HandlerError(f"GET http://{host}:{port}{path}: not an HTTP answer")
        code = int(parts[1])
        # An answer that is read to its end costs the server no reset.
        await reader.read(_ANSWER_MAX)
    except (OSError, ValueError, asyncio.IncompleteReadError) as e:
        raise HandlerError(f"GET http://{host}:{port}{path}: {e}") from e
    finally:
        await _close(writer)
    if not 200 <= code < 400:
        raise HandlerError(f"HTTP probe failed with statuscode: {code}")


Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _connect(host: str, port: int, context: ssl.SSLContext | None) -> Connected:
    try:
        return await asyncio.open_connection(host, port, ssl=context)
    except OSError as e:
        # asyncio puts the address into `strerror`, so that only the number tells the reason.
        why = os.strerror(e.errno).lower() if e.errno else str(e)
        raise HandlerError(f"dial tcp {host}:{port}: connect: {why}") from e


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
