"""Run the load client with small defaults, and hold the law that its counts add up."""

from __future__ import annotations

from serinus.load.plan import LoadPlan
from serinus.load.report import Report
from serinus.load.run import run
from serinus.process import SystemClock
from tests.unit.load.servers import Handler, serving


async def load(url: str, **options: object) -> Report:
    """Send 12 requests, three at a time, unless told otherwise."""
    settings = {"requests_max": 12, "connections": 3, "duration_ms": 20_000, "timeout_ms": 5_000}
    plan = LoadPlan(url=url, **(settings | options))  # type: ignore[arg-type]  # test sugar
    report = await run(plan, clock=SystemClock())
    assert sum(report.counts.values()) == report.planned_count
    assert sum(sum(p.counts.values()) for p in report.populations) == report.planned_count
    return report


async def outcome_of(handler: Handler, **options: object) -> Report:
    async with serving(handler) as server:
        return await load(server.url, **options)
