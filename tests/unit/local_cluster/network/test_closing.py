"""A listener that closes in the middle of new connections leaves no client waiting."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
import uvloop

from serinus.local_cluster.network.balancer import Balancer
from serinus.local_cluster.network.listener import Listener
from serinus.process import SystemClock

ROUND_COUNT = 21
CLIENT_COUNT = 8


class Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"ok" if data else b"")


async def outcome(port: int) -> str:
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"hello")
                return "answered" if await reader.read(2) else "closed"
            finally:
                writer.close()
    except TimeoutError:
        return "hung"
    except OSError:
        return "refused"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_no_client_hangs_when_the_listener_closes_while_it_connects(
    run: Callable[[Coroutine[Any, Any, Counter[str]]], Counter[str]],
) -> None:
    seen = run(outcomes_of_closing())
    assert seen["hung"] == 0, seen
    assert seen["answered"] > 0
    assert seen["refused"] > 0


async def outcomes_of_closing() -> Counter[str]:
    """Close a listener at several moments of its clients' connecting; count what they saw."""
    loop = asyncio.get_running_loop()
    backend = await loop.create_server(Answering, "127.0.0.1", 0)
    endpoint = backend.sockets[0].getsockname()
    seen: Counter[str] = Counter()
    for number in range(ROUND_COUNT):
        balancer = Balancer(source=random.Random(number), clock=SystemClock())
        balancer.update([endpoint], None)
        listener = Listener(("127.0.0.1", free_port()), balancer, lambda *_: None)
        await listener.open()
        clients = [asyncio.ensure_future(outcome(listener.address[1])) for _ in range(CLIENT_COUNT)]
        for _ in range(number % 7):
            await asyncio.sleep(0)
        balancer.update([], None)
        listener.close()
        seen.update(await asyncio.gather(*clients))
    backend.close()
    return seen
