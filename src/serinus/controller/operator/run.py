"""The operator as a process: caches, election, workers, and an orderly end.

Only the leader writes, and it stops before its lease ends: whoever loses it stands by again. A
standby keeps its caches warm.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import structlog

import serinus
from serinus import errors
from serinus.clock import Clock
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.kubernetes.presence import OPERATOR_LEASE, VERSION_ANNOTATION
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


class _Field:
    """What belongs to one set of caches; a standby fills its queue and works on nothing."""

    def __init__(self, caches: Caches, report: Report, clock: Clock) -> None:
        self.caches = caches
        self.queue: WorkQueue[Key] = WorkQueue(BACKOFF)
        self.worker = Worker(caches, self.queue, Drivers(caches), report, clock=clock)
        concerns.listen(caches, self.queue.add)


class _Operator:
    def __init__(self, client: Client, options: OperatorOptions, clock: Clock) -> None:
        self._client, self._options, self._clock = client, options, clock
        self._meters = Meters()
        self._recorder = Recorder(
            client, clock, host=options.identity, component="serinus-controller"
        )
        self._lease = Lease(
            client,
            OPERATOR_LEASE,
            options.lease_namespace,
            identity=options.identity,
            options=LEASE,
            annotations={VERSION_ANNOTATION: serinus.__version__},
            clock=clock,
        )
        leading = client.fenced(lambda: self._lease.is_held)
        self._all_caches = [
            Caches(leading, namespace, shared=True)
            for namespace in options.watch_namespaces or (None,)
        ]
        self._fields: list[_Field] = []

    async def run(self, stop: asyncio.Event) -> int:
        """Serve, follow, be elected, drive."""
        async with (
            serving(
                self._options.host,
                self._options.port,
                is_healthy=lambda: True,
                is_ready=lambda: bool(self._fields),
                metrics=self._metrics,
            ) as port,
            self._following(),
        ):
            _log.info("ready", port=port, identity=self._options.identity)
            stopped = asyncio.ensure_future(stop.wait())
            while not stop.is_set():
                await self._try_first()
                elected = asyncio.ensure_future(self._lease.acquire())
                await asyncio.wait({elected, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
                    elected.cancel()
                    await asyncio.wait({elected})
                else:
                    elected.result()
                    await self._lead(stop)
            await stopped
        return 0

    async def _try_first(self) -> None:
        """Ask for the lease once, and say who has it; where nobody can, there is no place for it.

        Raises:
            RefusedError: the namespace of the Lease is not there.
        """
        with contextlib.suppress(errors.Unavailable):
            if await self._lease.try_acquire():
                return
            # Looked at again: another replica may have made it in this very moment.
            if await self._lease.read() is None:
                raise errors.RefusedError(
                    "NamespaceMissing",
                    f"no Lease can be kept in namespace {self._options.lease_namespace}: it is not "
                    "there; choose another with --lease-namespace",
                )
            _log.info("stands by", leader=self._lease.holder)

    async def _lead(self, stop: asyncio.Event) -> None:
        """Drive until told to stop, or until the lease is lost: then others may have it."""
        _log.info("leads", lease=f"{self._options.lease_namespace}/{OPERATOR_LEASE}")
        self._meters.leader.set(1)
        tasks: list[asyncio.Future[None]] = [asyncio.ensure_future(self._recorder.run())]
        for field in self._fields:
            tasks += [asyncio.ensure_future(field.worker.run()) for _ in range(self._worker_count)]
            tasks.append(asyncio.ensure_future(_resync(field)))
        ends = [asyncio.ensure_future(event.wait()) for event in (stop, self._lease.lost)]
        watched: list[asyncio.Future[Any]] = [*tasks, *ends]
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            await _end(watched)
            self._meters.leader.set(0)
            if self._lease.lost.is_set():
                _log.warning("lost its lease: stands by")
            await self._lease.release()

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
            report = Report(self._recorder, self._meters)
            self._fields = [_Field(caches, report, self._clock) for caches in self._all_caches]
            yield
            for field in self._fields:
                field.queue.close()

    def _metrics(self) -> bytes:
        self._meters.queue_length.set(sum(len(field.queue) for field in self._fields))
        return self._meters.text()


async def _resync(field: _Field) -> None:
    """Make every release due now and then: what was missed is found without an event."""
    while True:
        for key in sorted(concerns.all_keys(field.caches)):
            field.queue.add(key)
        await asyncio.sleep(RESYNC_MS / 1000)


async def _end(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel, and give what is in the middle of a request a moment to hear its answer."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=SHUTDOWN_MS / 1000)
