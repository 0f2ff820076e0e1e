"""A promotion in full goes past every step and pause, with pods that run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from tests.end_to_end.stage import STABLE, Stage, under_load

pytestmark = pytest.mark.xdist_group("local-cluster")

OpenStage = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]
NAME = "nginx-deployment"


async def test_a_full_promotion_passes_pauses_and_the_undo_window_and_loses_no_request(
    make_stage: OpenStage,
) -> None:
    async with make_stage() as stage:
        await stage.kubectl("apply", "-f", STABLE)
        await stage.serving(NAME, 3)
        await stage.answering()
        async with under_load(stage.url, rate=100) as result:
            await stage.serinus(
                *("release", NAME, "nginx=nginx:1.8.0", "--steps", "25,pause,50,pause:1h"),
                *("--undo-window", "1h"),
            )
            await stage.serinus("promote", NAME, "--full", "--timeout", "60s")
        report = await result
        assert report.failed_count == 0, report.examples
        images = {c["image"] for p in await stage.pods() for c in p["spec"]["containers"]}
        assert images == {"nginx:1.8.0"}
        names = [d["metadata"]["name"] for d in (await stage.object("deployments"))["items"]]
        assert names == [NAME]
