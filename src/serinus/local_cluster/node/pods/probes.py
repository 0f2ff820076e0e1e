"""Probing a container: startup first, then readiness and liveness; after pkg/kubelet/prober."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from serinus.local_cluster.node.pods import handlers
from serinus.local_cluster.node.pods.handlers import HandlerError, Target
from serinus.local_cluster.node.pods.spec import Probe

_EAGER_FIRST_MS = 25


class Probed(Protocol):
    """The container that hears what its probes found."""

    def probe_started(self) -> None:
        """Hear that the container has started."""
        ...

    def probe_ready(self, *, ready: bool) -> None:
        """Hear whether it is ready."""
        ...

    def probe_unhealthy(self, what: str, message: str) -> None:
        """Hear of a single failure."""
        ...

    def probe_dead(self, what: str, probe: Probe) -> None:
        """Hear that it is to be started anew."""
        ...


class Prober:
    """The probes of one run of a container."""

    def __init__(self, target: Target, probed: Probed) -> None:
        self._target = target
        self._probed = probed
        self._tasks: set[asyncio.Task[None]] = set()
        self._deadly: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin; with no startup probe the container has started already."""
        container = self._target.container
        if container.startup_probe is not None:
            self._run(self._startup(container.startup_probe), deadly=True)
        else:
            self._started()

    def stop_deadly(self) -> None:
        """End the probes that could kill; readiness is still told while a pod terminates."""
        for task in self._deadly:
            task.cancel()

    async def stop(self) -> None:
        """End all probes."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _run(self, work: Coroutine[Any, Any, None], *, deadly: bool) -> None:
        task = asyncio.create_task(work)
        kept = [self._tasks] + ([self._deadly] if deadly else [])
        for each in kept:
            each.add(task)
            task.add_done_callback(each.discard)

    def _started(self) -> None:
        container = self._target.container
        self._probed.probe_started()
        if container.readiness_probe is None:
            self._probed.probe_ready(ready=True)
        else:
            self._run(self._readiness(container.readiness_probe), deadly=False)
        if container.liveness_probe is not None:
            self._run(self._liveness(container.liveness_probe), deadly=True)

    async def _startup(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay_seconds)
        if await self._succeeds_before(probe, "Startup"):
            self._started()
        else:
            self._probed.probe_dead("startup", probe)

    async def _succeeds_before(self, probe: Probe, what: str) -> bool:
        """Return whether there was a success before the failure threshold."""
        failure_count = 0
        while True:
            problem = await self._attempt(probe)
            if problem is None or await self._eager_pause(probe):
                return True
            failure_count += 1
            self._probed.probe_unhealthy(what, problem)
            if failure_count >= probe.failure_threshold:
                return False

    async def _readiness(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay_seconds)
        ready, success_count, failure_count = False, 0, 0
        while True:
            problem = await self._attempt(probe)
            if problem is not None and not ready and probe.success_threshold == 1:
                if await self._eager_pause(probe):
                    problem = None
                else:
                    self._probed.probe_unhealthy("Readiness", problem)
                    continue
            if problem is None:
                success_count, failure_count = success_count + 1, 0
                if not ready and success_count >= probe.success_threshold:
                    ready = True
                    self._probed.probe_ready(ready=True)
            else:
                success_count, failure_count = 0, failure_count + 1
                self._probed.probe_unhealthy("Readiness", problem)
                if ready and failure_count >= probe.failure_threshold:
                    ready = False
                    self._probed.probe_ready(ready=False)
            await asyncio.sleep(probe.period_seconds)

    async def _liveness(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay_seconds)
        failure_count = 0
        while failure_count < probe.failure_threshold:
            problem = await self._attempt(probe)
            if problem is None:
                failure_count = 0
            else:
                failure_count += 1
                self._probed.probe_unhealthy("Liveness", problem)
            if failure_count < probe.failure_threshold:
                await asyncio.sleep(probe.period_seconds)
        self._probed.probe_dead("liveness", probe)

    async def _attempt(self, probe: Probe) -> str | None:
        """Probe once; return what was wrong, or None."""
        try:
            await handlers.run(probe, self._target, 1000 * probe.timeout_seconds)
        except HandlerError as e:
            return str(e)
        return None

    async def _eager_pause(self, probe: Probe) -> bool:
        """Wait for one period, but try more often, so that a pod that starts is ready soon.

        Kubernetes allows itself the same for containers that are not ready. Such attempts count
        when they succeed and never when they fail.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + probe.period_seconds
        step = _EAGER_FIRST_MS / 1000
        while loop.time() + step < end:
            await asyncio.sleep(step)
            if await self._attempt(probe) is None:
                return True
            step *= 2
        await asyncio.sleep(max(0.0, end - loop.time()))
        return False
