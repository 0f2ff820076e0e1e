"""Applications that stop at once on TERM: a release loses none of their new connections."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from serinus.load.outcome import ConnectionKind
from serinus.load.report import Report
from tests.end_to_end.stage import STABLE, Stage, under_load

pytestmark = [pytest.mark.xdist_group("local-cluster"), pytest.mark.timeout(300)]

OpenStage = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]
RATE = 400
DELAY_MS = 20
NAME = "nginx-deployment"


def failed(report: Report, kind: ConnectionKind) -> str:
    """Return how many of a population failed, in words."""
    population = report.population(kind)
    count = sum(population.counts.values())
    return f"{population.failed_count} of {count} {kind.value}"


async def test_adoption_and_abort_of_rude_pods_cost_no_new_connection(
    make_stage: OpenStage,
) -> None:
    async with make_stage(delay_ms=DELAY_MS, rude=True) as stage:
        await stage.kubectl("apply", "-f", STABLE)
        await stage.serving(NAME, 3)
        await stage.answering()
        async with under_load(stage.url, rate=RATE) as result:
            await stage.serinus(
                *("release", NAME, "nginx=nginx:1.8.0", "--steps", "25,pause:1s,50,pause:1s")
            )
        adoption = await result
        async with under_load(stage.url, rate=RATE) as result:
            await stage.serinus("release", NAME, "nginx=nginx:1.9.0", "--steps", "25,pause")
            await stage.serinus("abort", NAME)
            await stage.serinus("undo", NAME)
        abort = await result
        await stage.serinus("leave", NAME)
        async with under_load(stage.url, rate=RATE) as result:
            await stage.kubectl("set", "image", f"deployment/{NAME}", "nginx=nginx:1.10.0")
            await stage.kubectl("rollout", "status", f"deployment/{NAME}")
            await stage.answering()
        plain = await result
    for words, report in (
        ("release + adoption", adoption),
        ("release + abort", abort),
        ("plain rolling update", plain),
    ):
        kinds = (ConnectionKind.NEW, ConnectionKind.KEEP_ALIVE)
        print(f"{words}: failed {' and '.join(failed(report, kind) for kind in kinds)}")
    assert adoption.population(ConnectionKind.NEW).failed_count == 0, adoption.examples
    assert abort.population(ConnectionKind.NEW).failed_count == 0, abort.examples
