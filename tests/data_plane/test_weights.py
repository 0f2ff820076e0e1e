"""The weight arrives: exactly, at once, and without a request lost on the way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from serinus.load.outcome import ConnectionKind
from serinus.load.plan import LoadPlan
from serinus.load.report import Report, z_score
from serinus.load.run import run
from serinus.process import SystemClock
from tests.data_plane.asking import ask_all, user
from tests.data_plane.pods import web_pod
from tests.data_plane.router import Router, a_plan, a_port, routing

WEIGHTS_BP = (10, 100, 500, 2_500, 5_000, 10_000)
Z_MAX = 4.5


@pytest_asyncio.fixture
async def router() -> AsyncIterator[Router]:
    async with (
        web_pod("1.7") as stable,
        web_pod("1.8") as canary,
        routing(a_plan(a_port(), [stable], [canary])) as found,
    ):
        yield found


async def loaded(router: Router, **options: object) -> Report:
    settings = {"kinds": (ConnectionKind.KEEP_ALIVE,), "connections": 16, "duration_ms": None}
    plan = LoadPlan(url=router.url, **(settings | options))  # type: ignore[arg-type]  # test sugar
    return await run(plan, clock=SystemClock())


async def check(router: Router, weight_bp: int, request_count: int) -> None:
    await router.split(weight=weight_bp / 100)
    report = await loaded(router, requests_max=request_count)
    assert (report.answered_count, report.failed_count) == (request_count, 0), report.examples
    z = z_score(report.answered_by("1.8"), request_count, weight_bp / 10_000)
    print(f"{weight_bp / 100:g} %: {report.answered_by('1.8')} of {request_count}, z = {z:+.2f}")
    assert abs(z) < Z_MAX


async def test_every_weight_is_the_share_of_requests(router: Router) -> None:
    for weight_bp in WEIGHTS_BP:
        await check(router, weight_bp, 20_000 if weight_bp < 100 else 4_000)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_every_weight_is_the_share_of_100_000_requests(router: Router) -> None:
    for weight_bp in WEIGHTS_BP:
        await check(router, weight_bp, 100_000)


async def test_zero_is_nobody_and_all_is_everybody_from_the_next_request_on(router: Router) -> None:
    users = [user(f"user-{n}") for n in range(50)]
    for weight_bp, version in ((0, "1.7"), (10_000, "1.8")) * 5:
        await router.split(weight=weight_bp / 100)
        assert {a.version for a in await ask_all(router.port, users)} == {version}


async def test_weights_change_under_load_and_no_request_is_lost(router: Router) -> None:
    """New connections and kept ones, while the weight jumps about as fast as it is taken."""
    stop = asyncio.Event()
    kinds = (ConnectionKind.KEEP_ALIVE, ConnectionKind.NEW)
    plan = LoadPlan(url=router.url, kinds=kinds, connections=8, duration_ms=60_000)
    running = asyncio.create_task(run(plan, clock=SystemClock(), stop=stop))
    source = random.Random(1)
    for _ in range(60):
        await router.split(weight=source.choice(WEIGHTS_BP) / 100)
    stop.set()
    report = await running
    print(f"{report.answered_count} answered, {report.failed_count} failed, 60 changes")
    assert report.failed_count == 0, report.examples
    assert report.answered_count > 60
    assert report.answered_by("1.8") > 0
    assert report.answered_by("1.7") > 0


async def test_a_canary_without_a_pod_gets_no_weight_until_it_has_one(router: Router) -> None:
    canary = router.plan["spec"]["canary"]
    await router.split(weight=100)
    await router.set(canary={"endpoints": {"http": []}})
    assert router.report()["weightBp"] == 0
    assert {a.version for a in await ask_all(router.port, [user("a")] * 20)} == {"1.7"}
    await router.set(canary=canary)
    assert router.report()["weightBp"] == 10_000
    assert {a.version for a in await ask_all(router.port, [user("a")] * 20)} == {"1.8"}


async def test_a_stable_without_a_pod_is_played_by_the_canary(router: Router) -> None:
    await router.split(weight=1)
    await router.set(stable={"endpoints": {"http": []}})
    assert router.report()["weightBp"] == 10_000
    assert {a.version for a in await ask_all(router.port, [user("a"), user("b")] * 10)} == {"1.8"}


async def test_pods_come_and_go_under_load_and_no_request_is_lost(router: Router) -> None:
    stop = asyncio.Event()
    plan = LoadPlan(
        url=router.url, kinds=(ConnectionKind.KEEP_ALIVE,), connections=8, duration_ms=60_000
    )
    await router.split(weight=50)
    running = asyncio.create_task(run(plan, clock=SystemClock(), stop=stop))
    for version in ("1.7", "1.8") * 4:
        side = "stable" if version == "1.7" else "canary"
        old = router.plan["spec"][side]
        async with web_pod(version) as new:
            await router.set(**{side: {"endpoints": {"http": [*old["endpoints"]["http"], new]}}})
            await router.set(**{side: {"endpoints": {"http": [new]}}})
            await router.set(**{side: old})
    stop.set()
    report = await running
    assert report.failed_count == 0, report.examples
    assert report.answered_count > 0
