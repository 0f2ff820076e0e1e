"""Real sockets through a listener, on both event loops that the node may run on."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import os
import random
import resource
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from serinus.local_cluster.network import splice
from serinus.local_cluster.network.balancer import Balancer
from serinus.local_cluster.network.listener import AddressError, Listener
from serinus.local_cluster.network.readiness import OfLoop
from serinus.local_cluster.network.services import Address
from serinus.process import SystemClock

Runner = Callable[[Coroutine[Any, Any, None]], None]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MIB = 1024 * 1024


@pytest.fixture(params=["asyncio", "uvloop", "without epoll"])
def on_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Runner:
    run = uvloop.run if request.param == "uvloop" else asyncio.run
    if request.param == "without epoll":
        monkeypatch.setattr(splice, "readiness", OfLoop)

    async def limited(work: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(30):
            await work

    return lambda work: run(limited(work))


@contextlib.asynccontextmanager
async def endpoint(handler: Handler) -> AsyncIterator[Address]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def proxied(*endpoints: Address) -> AsyncIterator[Listener]:
    balancer = Balancer(source=random.Random(7), clock=SystemClock())
    balancer.update(endpoints, None)
    listener = Listener(("127.0.0.1", free_port()), balancer, lambda *_: None)
    await listener.open()
    try:
        yield listener
    finally:
        listener.cut()
        await until(lambda: listener.connection_count == 0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


async def ask(address: Address, client: socket.socket | None = None) -> bytes:
    """Say hello and nothing more; return the first bytes of the answer."""
    loop = asyncio.get_running_loop()
    with client or socket.socket() as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        await loop.sock_sendall(sock, b"hello")
        sock.shutdown(socket.SHUT_WR)
        return await loop.sock_recv(sock, 100)


async def answer_with_digest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    digest = hashlib.sha256()
    while data := await reader.read(65_536):
        digest.update(data)
    writer.write(digest.digest())
    await writer.drain()


def test_a_large_body_arrives_whole_and_the_answer_comes_after_the_clients_fin(
    on_loop: Runner,
) -> None:
    body = os.urandom(8 * MIB)

    async def scenario() -> None:
        async with endpoint(answer_with_digest) as there, proxied(there) as listener:
            reader, writer = await asyncio.open_connection(*listener.address)
            writer.write(body)
            writer.write_eof()
            assert await reader.read() == hashlib.sha256(body).digest()
            writer.close()
            await until(lambda: listener.connection_count == 0)

    on_loop(scenario())


def test_a_large_answer_reaches_a_slow_reader_whole(on_loop: Runner) -> None:
    body = os.urandom(8 * MIB)

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.write(body)
        await writer.drain()

    async def scenario() -> None:
        async with endpoint(send) as there, proxied(there) as listener:
            reader, writer = await asyncio.open_connection(*listener.address)
            writer.write(b"?")
            got = bytearray()
            while data := await reader.read(50_000):
                got += data
                if len(got) % 7 == 0:
                    await asyncio.sleep(0.001)
            assert hashlib.sha256(got).digest() == hashlib.sha256(body).digest()
            writer.close()

    on_loop(scenario())


def test_a_client_cannot_push_more_than_buffers_hold_at_an_endpoint_that_does_not_read(
    on_loop: Runner,
) -> None:
    async def scenario() -> None:
        may_read = asyncio.Event()
        received = 0

        async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal received
            # The stream's own limit of 64 KiB pauses the socket while nobody reads.
            await may_read.wait()
            while data := await reader.read(MIB):
                received += len(data)

        async with endpoint(wait) as there, proxied(there) as listener:
            client = socket.create_connection(listener.address)
            client.setblocking(False)
            sent, idle_rounds = 0, 0
            while idle_rounds < 20:
                try:
                    sent += client.send(bytes(65_536))
                    idle_rounds = 0
                except BlockingIOError:
                    idle_rounds += 1
                await asyncio.sleep(0.005)
                assert sent < 64 * MIB
            may_read.set()
            client.shutdown(socket.SHUT_WR)
            await until(lambda: received == sent)
            client.close()

    on_loop(scenario())


def test_an_endpoint_may_end_its_direction_first_and_still_hear_the_client(
    on_loop: Runner,
) -> None:
    async def scenario() -> None:
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"all I have")
            writer.write_eof()
            heard.set_result(await reader.read())

        async with endpoint(half) as there, proxied(there) as listener:
            reader, writer = await asyncio.open_connection(*listener.address)
            assert await reader.read() == b"all I have"
            writer.write(b"late words")
            writer.write_eof()
            assert await heard == b"late words"
            writer.close()

    on_loop(scenario())


def test_a_dead_endpoint_is_a_reset_for_the_client(on_loop: Runner) -> None:
    async def scenario() -> None:
        async with proxied(("127.0.0.1", free_port())) as listener:
            # It may come before the client has looked whether it is connected.
            with pytest.raises(ConnectionResetError):
                await ask(listener.address)

    on_loop(scenario())


def test_a_reset_by_the_endpoint_is_a_reset_for_the_client_and_never_a_whole_answer(
    on_loop: Runner,
) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(5)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async def scenario() -> None:
        async with endpoint(reset) as there, proxied(there) as listener:
            reader, writer = await asyncio.open_connection(*listener.address)
            writer.write(b"hello")
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            await until(lambda: listener.connection_count == 0)

    on_loop(scenario())


def test_a_reset_by_the_client_reaches_the_endpoint(on_loop: Runner) -> None:
    async def scenario() -> None:
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"welcome")
            try:
                await reader.read()
                ended.set_result("end")
            except ConnectionResetError:
                ended.set_result("reset")

        async with endpoint(listen) as there, proxied(there) as listener:
            reader, writer = await asyncio.open_connection(*listener.address)
            await reader.readexactly(7)
            linger = struct.pack("ii", 1, 0)
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            assert await ended == "reset"

    on_loop(scenario())


def test_without_endpoints_connections_are_refused_and_open_ones_live_on(on_loop: Runner) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)

    async def scenario() -> None:
        async with endpoint(echo) as there, proxied(there) as listener:
            reader, writer = await asyncio.open_connection(*listener.address)
            writer.write(b"one")
            assert await reader.readexactly(3) == b"one"
            listener.balancer.update((), None)
            listener.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*listener.address)
            writer.write(b"two")
            assert await reader.readexactly(3) == b"two"
            listener.balancer.update((there,), None)
            await listener.open()
            _, second = await asyncio.open_connection(*listener.address)
            second.close()
            writer.close()

    on_loop(scenario())


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as probe:
        lowest_free = probe.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_who_comes_while_no_descriptor_is_left_is_served_when_there_is_one(
    on_loop: Runner,
) -> None:
    async def scenario() -> None:
        async with endpoint(answer_with_digest) as there, proxied(there) as listener:
            loop = asyncio.get_running_loop()
            with socket.socket() as client:
                client.setblocking(False)
                with no_descriptor_left():
                    await loop.sock_connect(client, listener.address)
                    await loop.sock_sendall(client, b"hello")
                    client.shutdown(socket.SHUT_WR)
                    # By then the listener has found out that it cannot take the client.
                    for _ in range(5):
                        await asyncio.sleep(0)
                answer = await loop.sock_recv(client, 100)
                assert answer == hashlib.sha256(b"hello").digest()

    on_loop(scenario())


def test_a_client_for_whose_endpoint_no_descriptor_is_left_is_reset(on_loop: Runner) -> None:
    async def scenario() -> None:
        async with endpoint(answer_with_digest) as there, proxied(there) as listener:
            spare = socket.socket()
            with socket.socket() as client, no_descriptor_left():
                spare.close()
                with pytest.raises(ConnectionResetError):
                    await ask(listener.address, client)

    on_loop(scenario())


def test_an_endpoint_that_is_far_is_waited_for(on_loop: Runner) -> None:
    async def scenario() -> None:
        # A full queue: the kernel answers the next connection when one of the queue was taken.
        with socket.socket() as far, contextlib.ExitStack() as stack:
            far.bind(("127.0.0.1", 0))
            far.listen(0)
            far.setblocking(False)
            filling = [stack.enter_context(socket.socket()) for _ in range(4)]
            for each in filling:
                each.setblocking(False)
                each.connect_ex(far.getsockname())
            async with proxied(far.getsockname()) as listener:
                reader, writer = await asyncio.open_connection(*listener.address)
                writer.write(b"hello")
                loop = asyncio.get_running_loop()
                heard = b""
                while heard != b"hello":
                    taken, _ = await loop.sock_accept(far)
                    stack.enter_context(taken)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.1):
                            heard = await loop.sock_recv(taken, 5)
                await loop.sock_sendall(taken, b"welcome")
                assert await reader.readexactly(7) == b"welcome"
                writer.close()

    on_loop(scenario())


def test_a_client_that_leaves_while_its_endpoint_is_far_is_forgotten(on_loop: Runner) -> None:
    async def scenario() -> None:
        with socket.socket() as far, contextlib.ExitStack() as stack:
            far.bind(("127.0.0.1", 0))
            far.listen(0)
            filling = [stack.enter_context(socket.socket()) for _ in range(4)]
            for each in filling:
                each.setblocking(False)
                each.connect_ex(far.getsockname())
            async with proxied(far.getsockname()) as listener:
                client = socket.create_connection(listener.address)
                await until(lambda: listener.connection_count == 1)
                linger = struct.pack("ii", 1, 0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                client.close()
                await until(lambda: listener.connection_count == 0)

    on_loop(scenario())


def test_an_address_that_somebody_has_is_told_as_taken(on_loop: Runner) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            balancer = Balancer(source=random.Random(7), clock=SystemClock())
            listener = Listener(other.getsockname()[:2], balancer, lambda *_: None)
            with pytest.raises(AddressError) as caught:
                await listener.open()
            assert caught.value.is_taken
            assert not listener.is_open

    on_loop(scenario())


def named(name: bytes) -> Handler:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Closed here: Python before 3.11.5 leaves the connection of a handler that fails open.
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\n"):
                writer.write(name)

    return answer


async def ask_until(stop: asyncio.Event, address: Address) -> set[bytes]:
    """Ask again and again on one connection; return all answers that differ."""
    reader, writer = await asyncio.open_connection(*address)
    found = set()
    while not stop.is_set():
        writer.write(b"?\n")
        found.add(await reader.readexactly(1))
        await asyncio.sleep(0)
    writer.close()
    return found


async def ask_once(listener: Listener) -> tuple[bytes, set[Address]]:
    """Ask on a new connection; return the answer, and all endpoints that were there meanwhile."""
    there = set(listener.balancer.endpoints)
    reader, writer = await asyncio.open_connection(*listener.address)
    writer.write(b"?\n")
    answer = await reader.readexactly(1)
    writer.close()
    return answer, there | set(listener.balancer.endpoints)


def test_swapping_endpoints_under_load_loses_nothing_and_moves_new_connections(
    on_loop: Runner,
) -> None:
    async def scenario() -> None:
        async with (
            endpoint(named(b"A")) as first,
            endpoint(named(b"B")) as second,
            proxied(first) as listener,
        ):
            stop, answers = asyncio.Event(), list[bytes]()

            async def new_connections() -> None:
                while not stop.is_set():
                    answer, there = await ask_once(listener)
                    assert (first if answer == b"A" else second) in there
                    answers.append(answer)

            def at_least(count: int) -> bool:
                return len(answers) >= count

            steady = [asyncio.create_task(ask_until(stop, listener.address)) for _ in range(8)]
            await until(lambda: listener.connection_count == 8)
            load = [asyncio.create_task(new_connections()) for _ in range(8)]
            for swap in range(40):
                listener.balancer.update((second,) if swap % 2 else (first,), None)
                await until(functools.partial(at_least, len(answers) + 16))
            stop.set()
            await asyncio.gather(*load)
            assert await asyncio.gather(*steady) == [{b"A"}] * 8
            assert set(answers) == {b"A", b"B"}
            assert len(answers) >= 640

    on_loop(scenario())
