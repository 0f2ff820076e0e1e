"""Which keys are due: each at most once in the queue, and never in two hands at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Hashable
from typing import Generic, TypeVar

from serinus.kube.cache import Backoff

KeyT = TypeVar("KeyT", bound=Hashable)


class WorkQueue(Generic[KeyT]):
    """Keys in the order in which they became due. Not for use by several loops."""

    def __init__(self, backoff: Backoff, source: random.Random | None = None) -> None:
        self._backoff = backoff
        self._random = source or random.Random()  # noqa: S311 - jitter, not a secret
        self._due: dict[KeyT, None] = {}
        self._active: set[KeyT] = set()
        self._again: set[KeyT] = set()
        self._timers: dict[KeyT, asyncio.TimerHandle] = {}
        self._failure_counts: dict[KeyT, int] = {}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        """Return how many keys are due or in work."""
        return len(self._due) + len(self._active)

    def add(self, key: KeyT) -> None:
        """Make a key due now; one that is in work comes once more afterwards."""
        if key in self._active:
            self._again.add(key)
            return
        self._cancel(key)
        self._due[key] = None
        self._filled.set()

    def add_after(self, key: KeyT, delay_ms: int) -> None:
        """Make a key due within `delay_ms`; an earlier time that is known for it stays."""
        loop = asyncio.get_running_loop()
        at = loop.time() + delay_ms / 1000
        known = self._timers.get(key)
        if key in self._due or (known is not None and known.when() <= at):
            return
        self._cancel(key)
        self._timers[key] = loop.call_at(at, self._ring, key)

    async def get(self) -> KeyT:
        """Take the next key that is due into work; `done` gives it back."""
        while not self._due:
            self._filled.clear()
            await self._filled.wait()
        key = next(iter(self._due))
        del self._due[key]
        self._active.add(key)
        return key

    def done(self, key: KeyT) -> None:
        """Take a key out of work."""
        self._active.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def failed(self, key: KeyT) -> int:
        """Make a key due after a pause that grows with each failure; return how many there were."""
        count = self._failure_counts.get(key, 0) + 1
        self._failure_counts[key] = count
        self.add_after(key, self._backoff.pause_ms(count, self._random))
        return count

    def succeeded(self, key: KeyT) -> None:
        """Forget the failures of a key."""
        self._failure_counts.pop(key, None)

    def close(self) -> None:
        """Let no timer ring any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _ring(self, key: KeyT) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel(self, key: KeyT) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
