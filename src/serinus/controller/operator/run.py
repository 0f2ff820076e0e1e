"""The operator as a process: caches, election, workers, and an end without a half-done write.

Only the leader writes, and it stops before its lease ends: on the loss of the lease the process
ends, and starts again as a standby. A standby keeps its caches warm.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import structlog

from serinus import errors
from serinus.clock import Clock
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.operator import concerns
from serinus.controller.operator.concerns import Key
from serinus.controller.operator.drivers import Drivers
from serinus.controller.operator.meters import Meters
from serinus.controller.operator.report import Report
from serinus.controller.operator.serving import serving
from serinus.controller.operator.worker import Worker
from serinus.controller.operator.workqueue import WorkQueue
from serinus.kube import kinds
from serinus.kube.cache import Backoff
from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.kube.lease import Lease, LeaseOptions
from serinus.kube.recorder import Recorder

LEASE_NAME = "serinus-controller"
LEASE = LeaseOptions(duration_ms=6_000, renew_deadline_ms=4_000, retry_period_ms=1_000)
BACKOFF = Backoff(first_ms=50, ceiling_ms=30_000)
RESYNC_MS = 600_000
SHUTDOWN_MS = 5_000
_log = structlog.get_logger("serinus.operator")


class OperatorOptions(msgspec.Struct, frozen=True):
    """How the operator runs."""

    identity: str
    lease_namespace: str
    watch_namespaces: Sequence[str] = ()
    """None of them: the whole cluster."""
    host: str = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus ask from other addresses
    port: int = 8080
    worker_count: int = 4


async def operate(connection: Connection, options: OperatorOptions, clock: Clock) -> int:
    """Run until TERM or the loss of the lease; return the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Client(connection) as client:
        operator = _Operator(client, options, clock)
        return await operator.run(stop)


class _Operator:
    def __init__(self, client: Client, options: OperatorOptions, clock: Clock) -> None:
        self._client, self._options, self._clock = client, options, clock
        self._meters = Meters()
        self._recorder = Recorder(
            client, clock, host=options.identity, component="serinus-controller"
        )
        self._all_caches = [
            Caches(client, namespace, shared=True)
            for namespace in options.watch_namespaces or (None,)
        ]
        self._lease = Lease(
            client,
            LEASE_NAME,
            options.lease_namespace,
            identity=options.identity,
            options=LEASE,
            clock=clock,
        )
        self._queues: list[WorkQueue[Key]] = []
        self._synced = False

    async def run(self, stop: asyncio.Event) -> int:
        """Serve, follow, be elected, drive."""
        async with (
            serving(
                self._options.host,
                self._options.port,
                is_healthy=lambda: True,
                is_ready=lambda: self._synced,
                metrics=self._metrics,
            ) as port,
            self._following(),
        ):
            _log.info("ready", port=port, identity=self._options.identity)
            elected = asyncio.ensure_future(self._lease.acquire())
            stopped = asyncio.ensure_future(stop.wait())
            await asyncio.wait({elected, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                elected.result()
                return await self._lead(stop)
            elected.cancel()
            await asyncio.wait({elected})
            return 0

    async def _lead(self, stop: asyncio.Event) -> int:
        _log.info("leads", lease=f"{self._options.lease_namespace}/{LEASE_NAME}")
        self._meters.leader.set(1)
        report = Report(self._recorder, self._meters)
        tasks: list[asyncio.Future[None]] = [asyncio.ensure_future(self._recorder.run())]
        for caches in self._all_caches:
            queue: WorkQueue[Key] = WorkQueue(BACKOFF)
            self._queues.append(queue)
            worker = Worker(caches, queue, Drivers(caches), report, clock=self._clock)
            concerns.listen(caches, queue.add)
            tasks += [asyncio.ensure_future(worker.run()) for _ in range(self._worker_count)]
            tasks.append(asyncio.ensure_future(_resync(caches, queue)))
        ends = [asyncio.ensure_future(event.wait()) for event in (stop, self._lease.lost)]
        watched: list[asyncio.Future[Any]] = [*tasks, *ends]
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for queue in self._queues:
                queue.close()
            await _end(watched)
            self._meters.leader.set(0)
            lost = self._lease.lost.is_set()
            await self._lease.release()
        if lost and not stop.is_set():
            raise errors.RefusedError(
                "LeaseLost", "another replica leads, or the API server is away"
            )
        return 0

    @property
    def _worker_count(self) -> int:
        return max(1, self._options.worker_count // len(self._all_caches))

    @contextlib.asynccontextmanager
    async def _following(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for caches in self._all_caches:
                await stack.enter_async_context(caches)
                if not caches.has(kinds.CANARY_RELEASES):
                    raise errors.RefusedError(
                        "KindMissing",
                        "the cluster has no CanaryReleases, or we may not read them: "
                        "serinus install brings the kind and the roles",
                    )
            self._synced = True
            yield

    def _metrics(self) -> bytes:
        self._meters.queue_length.set(sum(len(queue) for queue in self._queues))
        return self._meters.text()


async def _resync(caches: Caches, queue: WorkQueue[Key]) -> None:
    """Make every release due now and then: what was missed is found without an event."""
    while True:
        for key in sorted(concerns.all_keys(caches)):
            queue.add(key)
        await asyncio.sleep(RESYNC_MS / 1000)


async def _end(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel, and give what is in the middle of a request a moment to hear its answer."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=SHUTDOWN_MS / 1000)
