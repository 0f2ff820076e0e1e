"""What a close costs on a connection that is used again: nothing, a race, or a failure."""

from __future__ import annotations

import asyncio

from serinus.load.outcome import ConnectionKind, Outcome
from tests.unit.load.loading import load, outcome_of
from tests.unit.load.servers import Visit, answer, serving

KEEP_ALIVE = (ConnectionKind.KEEP_ALIVE,)


async def test_an_announced_close_retires_the_connection_and_costs_nothing() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.say(answer(extra="Connection: close\r\n"))

    async with serving(handle) as server:
        report = await load(server.url, kinds=KEEP_ALIVE)
        assert server.visits == 12
    assert report.answered_count == 12
    assert report.population(ConnectionKind.KEEP_ALIVE).idle_closes_count == 0


async def test_a_connection_closed_while_idle_costs_no_request() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.say(answer())

    report = await outcome_of(
        handle, kinds=KEEP_ALIVE, rate_per_s=40, connections=1, requests_max=12
    )
    assert report.answered_count == 12
    population = report.population(ConnectionKind.KEEP_ALIVE)
    assert population.connections_count == 12
    assert population.idle_closes_count >= 11


async def close_after_second_request(visit: Visit) -> None:
    """Answer once; close when asked again, as a server does whose idle time ends just then."""
    await visit.request()
    await visit.say(answer())
    await visit.request()


async def test_a_reused_connection_that_closes_at_once_is_an_idle_race_and_failed() -> None:
    report = await outcome_of(close_after_second_request, kinds=KEEP_ALIVE, connections=1)
    assert report.count(Outcome.CLOSED_IDLE_RACE) == 6
    assert report.failed_count == 6


async def test_an_idle_race_is_asked_again_when_the_plan_says_so() -> None:
    report = await outcome_of(
        close_after_second_request, kinds=KEEP_ALIVE, connections=1, retry_idle_race=True
    )
    assert report.answered_count == 12
    assert report.failed_count == 0
    assert report.population(ConnectionKind.KEEP_ALIVE).idle_race_retries_count == 11


async def test_a_post_is_never_asked_again() -> None:
    report = await outcome_of(
        close_after_second_request,
        kinds=KEEP_ALIVE,
        connections=1,
        retry_idle_race=True,
        method="POST",
    )
    assert report.count(Outcome.CLOSED_IDLE_RACE) == 6


async def test_a_server_that_had_time_to_read_the_request_did_not_race() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.say(answer())
        await visit.request()
        await asyncio.sleep(0.05)

    report = await outcome_of(handle, kinds=KEEP_ALIVE, connections=1, idle_race_window_ms=20)
    assert report.count(Outcome.CLOSED) == 6
    assert report.count(Outcome.CLOSED_IDLE_RACE) == 0


async def test_unasked_bytes_retire_a_connection_and_fail_nothing() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.say(answer() + b"HTTP/1.1 408 Idle\r\nContent-Length: 0\r\n\r\n")
        await visit.request()

    report = await outcome_of(handle, kinds=KEEP_ALIVE)
    assert report.answered_count == 12
    assert report.statuses == {}
