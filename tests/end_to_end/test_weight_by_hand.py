"""A weight that a person sets on a running release is gone to at once, and stays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from tests.end_to_end.stage import STABLE, Stage

pytestmark = pytest.mark.xdist_group("local-cluster")

OpenStage = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]


async def canary_count(stage: Stage) -> int:
    images = [p["spec"]["containers"][0]["image"] for p in await stage.pods()]
    return images.count("nginx:1.8.0")


async def test_a_weight_set_by_hand_is_reached_and_resume_goes_on_from_there(
    make_stage: OpenStage,
) -> None:
    async with make_stage() as stage:
        await stage.kubectl("apply", "-f", STABLE)
        await stage.serving("nginx-deployment", 3)
        release = ("release", "nginx-deployment", "nginx=nginx:1.8.0")
        await stage.serinus(*release, "--steps", "25,pause,50,pause", "--settle", "100ms")
        assert await canary_count(stage) == 1
        await stage.serinus("set-weight", "nginx-deployment", "50")
        assert await canary_count(stage) == 3
        await stage.serinus("set-weight", "nginx-deployment", "25")
        assert await canary_count(stage) == 1
        await stage.serinus("resume", "nginx-deployment")
        assert await canary_count(stage) == 3
        await stage.serinus("abort", "nginx-deployment")
        assert await canary_count(stage) == 0
