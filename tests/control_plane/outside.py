"""A network for clients, joined to the node's by a pair of virtual interfaces.

A client beside the pods, in their own network, meets the ends of its own connections: see
docs/adr/0027. What is outside comes in through an interface, as users do.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from serinus.process import spawn, stop
from tests.control_plane import namespace

ResultT = TypeVar("ResultT")
_CLONE_NEWNET = 0x40000000  # linux/sched.h
_NODE_END, _CLIENT_END = "10.80.0.1", "10.80.0.2"
_current: Path | None = None


def current() -> Path | None:
    """Return the network of clients that is there now; a process has one at most."""
    return _current


@contextlib.asynccontextmanager
async def network() -> AsyncIterator[Path]:
    """Have a network for clients for as long as the block lasts."""
    global _current  # noqa: PLW0603 - there is one network around a process
    # A network lives as long as somebody is in it, and its interfaces go with it.
    command = ["unshare", "--net", "sh", "-c", "echo entered; exec sleep infinity"]
    holder = await spawn(command, stdout=asyncio.subprocess.PIPE, die_with_parent=True)
    path = Path(f"/proc/{holder.pid}/ns/net")
    try:
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"entered\n"
        await asyncio.to_thread(_join, holder.pid)
        _current = path
        yield path
    finally:
        _current = None
        await stop(holder, grace_ms=0)


async def run(
    work: Callable[[asyncio.Event], Coroutine[None, None, ResultT]],
    where: Path,
    told: asyncio.Event,
) -> ResultT:
    """Run what asks for sockets in another network; it hears of `told` by an event of its own."""
    here = asyncio.get_running_loop()
    begun: asyncio.Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = here.create_future()

    def there() -> ResultT:
        _enter(where)

        async def main() -> ResultT:
            loop, stop_ = asyncio.get_running_loop(), asyncio.Event()
            here.call_soon_threadsafe(begun.set_result, (loop, stop_))
            return await work(stop_)

        return asyncio.run(main())

    async def lead_on() -> None:
        await told.wait()
        loop, stop_ = await begun
        loop.call_soon_threadsafe(stop_.set)

    # A thread that went there stays there, and is used for nothing else.
    with ThreadPoolExecutor(max_workers=1) as executor:
        leading = asyncio.ensure_future(lead_on())
        try:
            return await here.run_in_executor(executor, there)
        finally:
            leading.cancel()


def _enter(where: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with where.open() as file:
        if libc.setns(file.fileno(), _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(where))


def _join(pid: int) -> None:
    _ip("link", "add", "clients", "type", "veth", "peer", "name", "node", "netns", str(pid))
    _ip("address", "add", f"{_NODE_END}/24", "dev", "clients")
    _ip("link", "set", "clients", "up")
    inside = ("nsenter", f"--net=/proc/{pid}/ns/net", "ip")
    for words in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{_CLIENT_END}/24", "dev", "node"),
        ("link", "set", "node", "up"),
        ("route", "add", str(namespace.NODE_NETWORK), "via", _NODE_END),
        ("route", "add", str(namespace.SERVICE_NETWORK), "via", _NODE_END),
    ):
        _ip(*words, command=inside)


def _ip(*arguments: str, command: tuple[str, ...] = ("ip",)) -> None:
    subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
