"""The end of one run of a container: preStop, TERM, and KILL when the grace is over."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from serinus.clock import Clock
from serinus.local_cluster.node.pods import handlers
from serinus.local_cluster.node.pods.child import Child
from serinus.local_cluster.node.pods.handlers import HandlerError, Target
from serinus.local_cluster.node.pods.spec import Handler

Told = Callable[[str], None]


class Ending:
    """End a process; the time for it can be shortened while it lasts, and never prolonged."""

    def __init__(
        self, process: Child, *, grace_ms: int, shortest_grace_ms: int, clock: Clock
    ) -> None:
        self._process = process
        self._shortest_grace_ms = shortest_grace_ms
        self._clock = clock
        self._deadline_ms = clock.now_ms() + grace_ms
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, hook: Handler | None, target: Target, hook_failed: Told) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(hook, target, hook_failed))

    def shorten(self, grace_ms: int) -> None:
        """Leave no more than this."""
        self._deadline_ms = min(self._deadline_ms, self._clock.now_ms() + grace_ms)
        self._hurry.set()

    async def finished(self) -> None:
        """Wait until nothing is left to be done."""
        if self._task is not None:
            await asyncio.wait([self._task])
            self._task.result()

    async def _run(self, hook: Handler | None, target: Target, hook_failed: Told) -> None:
        if hook is not None:
            await self._pre_stop(hook, target, hook_failed)
            # A hook that used up the grace still leaves some time for the process
            # (pkg/kubelet/kuberuntime, minimumGracePeriodInSeconds).
            least = self._clock.now_ms() + self._shortest_grace_ms
            self._deadline_ms = max(self._deadline_ms, least)
        self._process.signal(signal.SIGTERM)
        if not await self._within_grace(self._process.ended):
            self._process.signal(signal.SIGKILL)
            await asyncio.wait([self._process.ended])

    async def _pre_stop(self, hook: Handler, target: Target, hook_failed: Told) -> None:
        left_ms = max(0, self._deadline_ms - self._clock.now_ms())
        running = asyncio.create_task(handlers.run(hook, target, left_ms))
        await self._within_grace(running)
        if not running.done():
            running.cancel()
            await asyncio.wait([running])
            if self._process.is_alive:
                hook_failed("it did not end within the grace period")
            return
        try:
            running.result()
        except HandlerError as e:
            hook_failed(str(e))

    async def _within_grace(self, task: asyncio.Task[int] | asyncio.Task[None]) -> bool:
        """Wait for a task or the end of the process; return whether it came within the grace."""
        while not task.done() and self._process.is_alive:
            left_ms = self._deadline_ms - self._clock.now_ms()
            if left_ms <= 0:
                return False
            self._hurry.clear()
            hurry = asyncio.create_task(self._hurry.wait())
            await asyncio.wait(
                {task, self._process.ended, hurry},
                timeout=left_ms / 1000,
                return_when=asyncio.FIRST_COMPLETED,
            )
            hurry.cancel()
        return True
