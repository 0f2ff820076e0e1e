"""What an onlooker with watches of its own saw, and when: no word of the operator's counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec

from serinus.kube.cache import Cache
from serinus.kube.client import Client, Manifest
from serinus.kube.kinds import Kind

LIMIT_S = 60.0


class Entry(msgspec.Struct, frozen=True):
    """One event of a watch, at seconds since the epoch."""

    at_s: float
    kind: Kind
    event: str
    object: Manifest

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.object["metadata"]["name"])


class NotSeen(Exception):  # noqa: N818 - not a failure of the code, but of what was waited for
    """Something did not happen in time."""


class Journal:
    """The events of some kinds in a namespace, in the order in which they came."""

    def __init__(self, client: Client, namespace: str, kinds: Sequence[Kind]) -> None:
        self.entries: list[Entry] = []
        self._caches = {kind: Cache(client, kind, namespace) for kind in kinds}
        self._news = asyncio.Event()
        for kind, cache in self._caches.items():
            cache.add_listener(self._listener(kind))

    def get(self, kind: Kind, name: str) -> Manifest | None:
        """Return an object as it is now, or None."""
        return self._caches[kind].get(name)

    def all(self, kind: Kind) -> list[Manifest]:
        """Return the objects of a kind as they are now."""
        return self._caches[kind].items()

    async def first(
        self, what: str, fits: Callable[[Entry], bool], *, since: int, limit_s: float = LIMIT_S
    ) -> Entry:
        """Wait for the first entry from number `since` on that fits.

        Raises:
            NotSeen: there was none within the limit.
        """
        number = since
        async with _limit(what, limit_s):
            while True:
                while number < len(self.entries):
                    if fits(self.entries[number]):
                        return self.entries[number]
                    number += 1
                await self._next()
        raise NotSeen(what)

    async def until(
        self, what: str, holds: Callable[[], bool], *, limit_s: float = LIMIT_S
    ) -> float:
        """Wait until something holds of the objects as they are; return since when it does.

        Raises:
            NotSeen: it did not within the limit.
        """
        async with _limit(what, limit_s):
            while not holds():
                await self._next()
        return self.entries[-1].at_s

    async def until_each(
        self, what: str, kind: Kind, count: int, fits: Callable[[Manifest], bool], *, limit_s: float
    ) -> None:
        """Wait until so many objects of a kind fit, with one look at each event.

        Raises:
            NotSeen: they did not within the limit.
        """
        fitting: set[str] = set()
        number = 0
        async with _limit(what, limit_s):
            while len(fitting) < count:
                for entry in self.entries[number:]:
                    if entry.kind == kind:
                        is_there = entry.event != "DELETED" and fits(entry.object)
                        (fitting.add if is_there else fitting.discard)(entry.name)
                number = len(self.entries)
                if len(fitting) < count:
                    await self._next()

    async def _next(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _listener(self, kind: Kind) -> Callable[[str, Any], None]:
        def hear(event: str, found: Any) -> None:
            self.entries.append(Entry(time.time(), kind, event, found))
            self._news.set()

        return hear

    async def open(self, stack: AsyncExitStack) -> None:
        """Follow all kinds until the stack closes."""
        for cache in self._caches.values():
            await stack.enter_async_context(cache)
        for cache in self._caches.values():
            await cache.synced(20_000)


@asynccontextmanager
async def following(
    client: Client, namespace: str, kinds: Sequence[Kind]
) -> AsyncIterator[Journal]:
    """Keep a journal for the block."""
    journal = Journal(client, namespace, kinds)
    async with AsyncExitStack() as stack:
        await journal.open(stack)
        yield journal


@asynccontextmanager
async def _limit(what: str, limit_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as error:
        raise NotSeen(f"not within {limit_s:g} s: {what}") from error
