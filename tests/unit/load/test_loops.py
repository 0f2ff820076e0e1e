"""When requests start: on a timetable, or after the answer; and how a run ends."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import pytest

from serinus.load.outcome import ConnectionKind, Outcome
from serinus.load.plan import LoadPlan
from serinus.load.run import run
from serinus.process import SystemClock
from tests.unit.load.loading import load, outcome_of
from tests.unit.load.servers import Visit, answer, polite, serving

KEEP_ALIVE = (ConnectionKind.KEEP_ALIVE,)


@pytest.fixture
async def polite_url() -> AsyncIterator[str]:
    async with serving(polite()) as server:
        yield server.url


@pytest.mark.parametrize("rate", [None, 400.0])
async def test_two_populations_share_the_requests(polite_url: str, rate: float | None) -> None:
    report = await load(polite_url, kinds=tuple(ConnectionKind), requests_max=101, rate_per_s=rate)
    assert [sum(p.counts.values()) for p in report.populations] == [51, 50]
    assert report.answered_count == 101


async def test_an_open_loop_keeps_its_timetable_while_the_server_hangs() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.request()

    report = await outcome_of(handle, rate_per_s=100, requests_max=30, timeout_ms=500, record=True)
    assert report.count(Outcome.TIMED_OUT) == 30
    assert report.record is not None
    rows = sorted(report.record.rows(), key=lambda row: row.intended_us)
    gaps = {b.intended_us - a.intended_us for a, b in itertools.pairwise(rows)}
    assert all(abs(gap - 10_000) <= 2 for gap in gaps)
    half_ms = rows[15].started_us // 1000 + 1
    assert report.record.in_flight_at(half_ms) >= 16


async def test_latency_counts_from_the_intended_start() -> None:
    """A server that stalls once delays all that should have started meanwhile: they say so."""
    stalled = asyncio.Event()

    async def handle(visit: Visit) -> None:
        while await visit.request():
            if not stalled.is_set():
                stalled.set()
                # Blocks server and client alike, as a busy machine would.
                time.sleep(0.3)  # noqa: ASYNC251 - that is the stall
            await visit.say(answer())

    report = await outcome_of(handle, rate_per_s=100, requests_max=40, kinds=KEEP_ALIVE)
    assert report.latency is not None
    assert report.latency.p50_ms > 50
    assert any("behind the timetable" in warning for warning in report.warnings)


async def test_an_open_loop_plans_rate_times_duration(polite_url: str) -> None:
    report = await load(polite_url, rate_per_s=150, duration_ms=400, requests_max=None)
    assert report.planned_count == 60
    assert report.answered_count == 60


async def test_a_closed_loop_ends_with_its_duration(polite_url: str) -> None:
    report = await load(polite_url, duration_ms=200, requests_max=None)
    assert report.answered_count == report.planned_count > 0
    assert report.elapsed_ms < 2_000


async def test_a_stop_ends_the_run_and_abandons_what_hangs() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        if visit.number <= 5:
            await visit.say(answer(extra="Connection: close\r\n"))
        else:
            await visit.request()

    stop = asyncio.Event()
    async with serving(handle) as server:
        plan = LoadPlan(url=server.url, connections=1, duration_ms=60_000, timeout_ms=60_000)
        report = await run(
            plan,
            clock=SystemClock(),
            stop=stop,
            progress_interval_ms=50,
            on_progress=lambda p: stop.set() if p.counts["answered"] == 5 else None,
        )
    assert report.interrupted
    assert report.answered_count == 5
    assert report.count(Outcome.ABANDONED) == 1
    assert report.failed_count == 0
    assert report.planned_count == 6


async def test_a_rate_that_no_client_could_keep_makes_the_run_invalid(polite_url: str) -> None:
    report = await load(
        polite_url, rate_per_s=900_000, duration_ms=100, requests_max=None, timeout_ms=100
    )
    assert report.planned_count == 90_000
    assert report.count(Outcome.NOT_SENT) > 0
    assert not report.valid
    # Its time ran out, or with an ordinary user's limit its files: what it says is its own fault.
    own_limits = ("the load client could not keep up with its rate", "Too many open files")
    assert report.examples["notSent"] in own_limits
