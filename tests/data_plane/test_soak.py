"""Everything changes at once under load, and no client notices."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest

from serinus.load.outcome import ConnectionKind
from serinus.load.plan import LoadPlan
from serinus.load.run import run
from serinus.process import SystemClock
from tests.data_plane.pods import free_port, pod, web_pod
from tests.data_plane.router import Router, a_plan, a_port, routing

RULES = (
    "request.headers['x-region'] in ['cn', 'sg']",
    "timestamp(request.headers['x-registered']) >= timestamp('2026-01-01T00:00:00Z')",
    "int(request.cookies['level']) > 41 && !(request.path.startsWith('/admin'))",
    "cidr('10.0.0.0/8').containsIP(source.address)",
)
MIB = 2**20
GROWTH_MAX_MIB = 12
"""Envoy's allocator settles within this; a leak of one route table for each change does not."""


def a_change(source: random.Random, split: dict[str, Any], canaries: list[str]) -> dict[str, Any]:
    """Return the parts of the plan that change now."""
    kind = source.choice(["weight", "weight", "weight", "salt", "rules", "canary"])
    if kind == "weight":
        return {"split": {**split, "weight": source.randrange(10_001) / 100}}
    if kind == "salt":
        return {"split": {**split, "salt": f"default/shop/{source.randrange(9)}"}}
    if kind == "rules":
        chosen = source.sample(RULES, source.randrange(len(RULES) + 1))
        rules = [
            {"name": f"r{n}", "when": text, "to": source.choice(["canary", "percentage", "stable"])}
            for n, text in enumerate(chosen)
        ]
        return {"split": {**split, "rules": rules}}
    chosen = source.sample(canaries, source.randrange(len(canaries) + 1))
    return {"canary": {"endpoints": {"http": chosen}}}


async def soak(router: Router, canaries: list[str], duration_s: float) -> None:
    """Change the plan for so long, and hold memory and clients to what they should be."""
    source = random.Random(7)
    stop = asyncio.Event()
    load = LoadPlan(
        url=router.url,
        kinds=(ConnectionKind.KEEP_ALIVE, ConnectionKind.NEW),
        connections=8,
        duration_ms=24 * 3_600_000,
        headers=(("x-region", "cn"), ("x-user", "anna"), ("cookie", "level=42")),
    )
    running = asyncio.create_task(run(load, clock=SystemClock(), stop=stop))
    end = time.monotonic() + duration_s
    change_count, memory = 0, [router.envoy.memory_info().rss]
    while time.monotonic() < end:
        await router.set(**a_change(source, router.plan["spec"]["split"], canaries))
        change_count += 1
        if change_count % 20 == 0:
            memory.append(router.envoy.memory_info().rss)
    stop.set()
    report = await running
    # The first fifth warms the allocator up.
    settled = memory[len(memory) // 5 :]
    growth_mib = (settled[-1] - settled[0]) / MIB
    print(
        f"{report.answered_count} answered, {report.failed_count} failed, {change_count} changes,"
        f" memory {settled[0] / MIB:.0f} -> {settled[-1] / MIB:.0f} MiB"
    )
    assert report.failed_count == 0, report.examples
    assert change_count > duration_s
    assert growth_mib < GROWTH_MAX_MIB


async def soaked(duration_s: float) -> None:
    """Among the canaries are one that fails, one that resets and one that nobody hears."""
    async with (
        web_pod("1.7") as stable,
        web_pod("1.8") as good,
        pod("1.8", "fail") as failing,
        pod("1.8", "reset") as resetting,
    ):
        canaries = [good, failing.address, resetting.address, f"127.0.0.1:{free_port()}"]
        plan = a_plan(a_port(), [stable], [good], retryOnStable={})
        async with routing(plan) as router:
            await soak(router, canaries, duration_s)


async def test_no_client_notices_ten_seconds_of_changes() -> None:
    await soaked(10)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_no_client_notices_ten_minutes_of_changes() -> None:
    await soaked(600)
