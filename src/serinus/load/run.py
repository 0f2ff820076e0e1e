"""Run a plan: set up, keep time, end in bounded time, report."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable

from serinus.clock import Clock
from serinus.load.outcome import Outcome
from serinus.load.plan import LoadPlan
from serinus.load.population import ClosedLoop, OpenLoop, Population
from serinus.load.report import Progress, Report
from serinus.load.tally import Tally, latency_of
from serinus.load.target import Target, resolve

_POLL_S = 0.05
_STOP_GRACE_NS = 2_000_000_000
_LATE_START_WARNING_MS = 50


async def run(
    plan: LoadPlan,
    *,
    clock: Clock,
    on_progress: Callable[[Progress], None] | None = None,
    progress_interval_ms: int = 250,
    stop: asyncio.Event | None = None,
) -> Report:
    """Send what the plan says and count what comes back.

    It ends at the latest one timeout after the plan's duration. `stop` ends it earlier: no request
    starts any more, and those under way get two seconds.

    Raises:
        UsageError: the plan cannot be run, or the host has no address; nothing was sent.
    """
    plan.check()
    target = await resolve(plan)
    session = _Session(plan, target, clock)
    try:
        session.start()
        next_progress_ms = progress_interval_ms
        while not session.is_over():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await session.wait(stop)
            session.keep_time(is_stopped=stop is not None and stop.is_set())
            if on_progress is not None and session.elapsed_ms() >= next_progress_ms:
                next_progress_ms += progress_interval_ms
                on_progress(session.progress())
        return session.report()
    finally:
        session.close()


class _Session:
    """The populations of one run, and its time."""

    def __init__(self, plan: LoadPlan, target: Target, clock: Clock) -> None:
        self._plan = plan
        self._started_at = clock.now_ms()
        self._started_ns = time.monotonic_ns()
        self._stopped_ns: int | None = None
        self._halted = False
        self._rate_mark = (0, 0)
        self._tally = Tally(plan, started_ns=self._started_ns, started_us=self._started_at * 1000)
        self._populations: list[Population] = []
        self._paces: list[OpenLoop | ClosedLoop] = []
        for index in range(len(plan.kinds)):
            self._add(target, index)

    def _add(self, target: Target, index: int) -> None:
        plan = self._plan
        parts = len(plan.kinds)
        connections = max(1, _part(plan.connections, parts, index))
        requests_max = None
        if plan.requests_max is not None:
            requests_max = _part(plan.requests_max, parts, index)
        population = Population(plan, target, self._tally, plan.kinds[index], keep=connections)
        pace: OpenLoop | ClosedLoop
        if plan.rate_per_s is None:
            pace = ClosedLoop(population, clients_count=connections, requests_max=requests_max)
        else:
            interval_ns = 1e9 * parts / plan.rate_per_s
            offset_ns = interval_ns * index / parts
            counts = [] if requests_max is None else [requests_max]
            if plan.duration_ms is not None:
                room_ns = max(0.0, plan.duration_ms * 1e6 - offset_ns)
                counts.append(math.ceil(room_ns / interval_ns))
            pace = OpenLoop(
                population,
                interval_ns=interval_ns,
                first_ns=self._started_ns + round(offset_ns),
                count=min(counts),
            )
        population.pace = pace
        self._populations.append(population)
        self._paces.append(pace)

    def start(self) -> None:
        for pace in self._paces:
            pace.start()

    def close(self) -> None:
        for pace in self._paces:
            pace.halt()
        for population in self._populations:
            population.abandon()
            population.close()

    def elapsed_ms(self) -> int:
        return (time.monotonic_ns() - self._started_ns) // 1_000_000

    def is_over(self) -> bool:
        return all(pace.is_over for pace in self._paces) and not self._in_flight_count()

    async def wait(self, stop: asyncio.Event | None) -> None:
        """Wait for the stop sign, or just wait."""
        if stop is None or stop.is_set():
            await asyncio.sleep(_POLL_S)
        else:
            await stop.wait()

    def keep_time(self, *, is_stopped: bool) -> None:
        """Time out what is due, and end the run when its time has come."""
        now_ns = time.monotonic_ns()
        timeout_ns = self._plan.timeout_ms * 1_000_000
        for population in self._populations:
            population.expire(now_ns - timeout_ns)
        if is_stopped:
            self._stop(now_ns)
        elif self._plan.duration_ms is not None:
            end_ns = self._started_ns + self._plan.duration_ms * 1_000_000
            for pace in self._paces:
                if now_ns >= end_ns and isinstance(pace, ClosedLoop):
                    pace.halt()
                elif now_ns >= end_ns + timeout_ns:
                    pace.give_up()

    def _stop(self, now_ns: int) -> None:
        if self._stopped_ns is None:
            self._stopped_ns = now_ns
            for pace in self._paces:
                pace.halt()
        elif now_ns - self._stopped_ns >= _STOP_GRACE_NS:
            for population in self._populations:
                population.abandon()

    def _in_flight_count(self) -> int:
        return sum(len(population.in_flight) for population in self._populations)

    def progress(self) -> Progress:
        elapsed_ms, ended_count = self.elapsed_ms(), self._tally.ended_count
        before_ms, before_count = self._rate_mark
        self._rate_mark = (elapsed_ms, ended_count)
        return Progress(
            elapsed_ms=elapsed_ms,
            ended_count=ended_count,
            in_flight_count=self._in_flight_count(),
            rate_per_s=1000 * (ended_count - before_count) / max(1, elapsed_ms - before_ms),
            counts=self._tally.counts(),
            versions=self._tally.answered(),
            latency=latency_of(self._tally.latencies),
        )

    def report(self) -> Report:
        tally, elapsed_ms = self._tally, self.elapsed_ms()
        counts = tally.counts()
        whole_count = counts[Outcome.ANSWERED.value] + counts[Outcome.HTTP_ERROR.value]
        return Report(
            url=self._plan.url,
            started_at=self._started_at,
            elapsed_ms=elapsed_ms,
            planned_count=sum(pace.planned_count for pace in self._paces),
            counts=counts,
            statuses={str(status): count for status, count in sorted(tally.statuses.items())},
            examples={outcome.value: text for outcome, text in tally.examples.items()},
            versions=tally.version_reports(),
            populations=tally.population_reports(),
            buckets=tally.buckets(),
            latency=latency_of(tally.latencies),
            rate_per_s=1000 * whole_count / max(1, elapsed_ms),
            valid=counts[Outcome.NOT_SENT.value] == 0,
            interrupted=self._stopped_ns is not None,
            warnings=self._warnings(counts),
            record=tally.record,
        )

    def _warnings(self, counts: dict[str, int]) -> tuple[str, ...]:
        warnings = []
        not_sent_count = counts[Outcome.NOT_SENT.value]
        if not_sent_count:
            reason = self._tally.examples.get(Outcome.NOT_SENT, "own limit")
            warnings.append(
                f"INVALID: {not_sent_count} requests could not be sent ({reason}): the limit was "
                "this client, not the server; lower --rate or --connections, or raise `ulimit -n`"
            )
        late = latency_of(self._tally.late_starts)
        if late is not None and late.p99_ms > _LATE_START_WARNING_MS:
            warnings.append(
                f"1 % of the requests started {late.p99_ms:.0f} ms or more behind the timetable: "
                "this machine is busy, and that time is in the latency"
            )
        record = self._tally.record
        if record is not None and not record.is_complete:
            warnings.append(f"only the first {len(record)} requests are in the record")
        return tuple(warnings)


def _part(total: int, parts: int, index: int) -> int:
    """Share `total` evenly; the first parts get one more where it does not divide."""
    return total // parts + (1 if index < total % parts else 0)
