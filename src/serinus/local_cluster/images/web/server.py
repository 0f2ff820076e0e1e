"""The web server: listen, answer, and leave politely (or rudely) at TERM."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys

from serinus.local_cluster.http1 import Request
from serinus.local_cluster.images.web.connection import Connection, draw
from serinus.local_cluster.images.web.options import Options

BACKLOG_COUNT = 4096
_LAST_ANSWERS_S = 30.0
_METHODS = frozenset({"GET", "HEAD", "POST"})


class WebServer:
    """Answer on all addresses of the options until it is told to stop."""

    def __init__(self, options: Options) -> None:
        self.draining = False
        self.delay_ms = options.delay_ms
        self._options = options
        self._connections: set[Connection] = set()
        self._answered_count = 0
        self._stop = asyncio.Event()
        self._all_closed = asyncio.Event()
        said = {"image": options.image, "version": options.version, "pod": options.pod}
        self._body = json.dumps(said).encode() + b"\n"
        self._headers = (
            "Server: serinus\r\nContent-Type: application/json\r\n"
            f"X-Serinus-Image: {options.image}\r\n"
            f"X-Serinus-Version: {options.version}\r\nX-Serinus-Pod: {options.pod}\r\n"
        ).encode()

    def opened(self, connection: Connection) -> None:
        """Take note of a new connection."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()

    def answer(self, request: Request) -> tuple[int, bytes, bytes]:
        """Return status, header lines and body."""
        self._answered_count += 1
        if request.head.method not in _METHODS:
            return 405, self._headers + b"Allow: GET, HEAD, POST\r\n", b""
        if request.head.target.partition("?")[0] == "/healthz":
            return 200, self._headers, b'{"status": "ok"}\n'
        if draw(self._options.error_share):
            return 500, self._headers, b'{"error": "asked for by SERINUS_WEB_ERROR_PERCENT"}\n'
        return self._options.status, self._headers, self._body

    async def run(self) -> None:
        """Serve until TERM or INT; return when the last answer is out."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        if self._options.start_delay_ms:
            # The program runs, as a container's does; that it does not listen yet is the point.
            self._say_ready()
            if await self._stopped_within(self._options.start_delay_ms):
                return
        sockets = [_listening(address) for address in self._options.addresses]
        servers = [
            await loop.create_server(lambda: Connection(self), sock=each, backlog=BACKLOG_COUNT)
            for each in sockets
        ]
        self._say_ready()
        where = ", ".join(f"{host}:{port}" for host, port in self._options.addresses)
        _say(f"{self._options.image or 'web server'} listens on {where}")
        await self._stop.wait()
        busy_count = sum(c.is_busy for c in self._connections)
        _say(f"TERM: {busy_count} requests in flight, {len(self._connections)} connections open")
        if self._options.is_rude:
            # What an application without a handler for TERM does: the kernel resets its clients.
            _die_of_term()
        self.draining = True
        await asyncio.sleep(self._options.linger_ms / 1000)
        for server in servers:
            server.close()
        await self._let_go()
        _say(f"stopped after {self._answered_count} answers")

    def _say_ready(self) -> None:
        descriptor, self._options.ready_descriptor = self._options.ready_descriptor, None
        if descriptor is not None:
            os.write(descriptor, b"1")
            os.close(descriptor)

    async def _stopped_within(self, limit_ms: int) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), limit_ms / 1000)
        except TimeoutError:
            return False
        return True

    async def _let_go(self) -> None:
        if not self._connections:
            return
        for connection in list(self._connections):
            connection.close_when_idle()
        try:
            await asyncio.wait_for(self._all_closed.wait(), _LAST_ANSWERS_S)
        except TimeoutError:
            _say(f"{len(self._connections)} connections are cut off")


def _listening(address: tuple[str, int]) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(address)
    return listener


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _die_of_term() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
