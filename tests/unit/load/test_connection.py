"""What a single connection does between two requests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from serinus.load.connection import Connection, Exchange, State
from serinus.load.http1 import ResponseReader
from serinus.load.outcome import ConnectionKind, Outcome
from serinus.load.plan import LoadPlan
from serinus.load.target import resolve
from tests.unit.load.servers import answer


class Listener:
    """Owns connections and remembers what became of their requests."""

    def __init__(self) -> None:
        self.kind = ConnectionKind.KEEP_ALIVE
        self.idle_race_window_ns = 10**9
        self.body_max = 0
        self.outcomes: list[Outcome] = []
        self.closed_idle_count = 0
        self.heard = asyncio.Event()

    def finished(
        self, connection: Connection, outcome: Outcome, response: ResponseReader, detail: str
    ) -> None:
        assert connection.exchange is not None
        assert not detail
        assert response.status == 200
        self.outcomes.append(outcome)
        self.heard.set()

    def closed_idle(self, connection: Connection) -> None:
        assert connection.state is State.CLOSED
        self.closed_idle_count += 1
        self.heard.set()


@contextlib.contextmanager
def server_that_closes(close: threading.Event, closed: threading.Event) -> Iterator[int]:
    """Answer one request in a thread, and close when told: the client's loop need not run."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(4096)
                sock.sendall(answer())
                close.wait(10)
            closed.set()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            close.set()
            thread.join()


async def test_a_connection_is_looked_at_before_it_is_written_to() -> None:
    close, closed = threading.Event(), threading.Event()
    with server_that_closes(close, closed) as port:
        target = await resolve(LoadPlan(url=f"http://127.0.0.1:{port}/"))
        owner = Listener()
        connection = Connection(asyncio.get_running_loop(), target, owner)
        connection.open(Exchange(0, time.monotonic_ns()))
        async with asyncio.timeout(5):
            await owner.heard.wait()
        assert connection.state is State.IDLE

        close.set()
        # Not awaited on purpose: the loop must not get the chance to see the close first.
        assert closed.wait(5)
        assert connection.send(Exchange(0, time.monotonic_ns())) is False
    assert owner.outcomes == [Outcome.ANSWERED]


async def test_a_close_while_idle_is_told() -> None:
    close, closed = threading.Event(), threading.Event()
    with server_that_closes(close, closed) as port:
        target = await resolve(LoadPlan(url=f"http://127.0.0.1:{port}/"))
        owner = Listener()
        connection = Connection(asyncio.get_running_loop(), target, owner)
        connection.open(Exchange(0, time.monotonic_ns()))
        async with asyncio.timeout(5):
            await owner.heard.wait()
            owner.heard.clear()
            close.set()
            await owner.heard.wait()
    assert owner.closed_idle_count == 1
    assert owner.outcomes == [Outcome.ANSWERED]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only 127.0.0.1 is loopback")
async def test_source_addresses_rotate_towards_loopback_only_when_wanted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        for rotate in (True, False):
            target = await resolve(LoadPlan(url=url, rotate_sources=rotate))
            sources = set()
            for _ in range(5):
                with target.open_socket() as sock:
                    sock.connect_ex(target.address)
                    sources.add(sock.getsockname()[0])
            assert (sources == {"127.0.0.1"}) is not rotate
            if rotate:
                assert len(sources) == 5
