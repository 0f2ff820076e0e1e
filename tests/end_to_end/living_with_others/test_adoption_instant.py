"""What others do in the instant in which the canary's pods are handed over.

The controllers stand still while it is done, so that it comes after the canary's deletion and
before the Deployment takes the pods over, every time.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from serinus.load.outcome import ConnectionKind
from tests.control_plane.bench import ControlPlane
from tests.end_to_end.living_with_others.shop import CANARY, HASH, STABLE, THIRD, Shop
from tests.end_to_end.stage import under_load
from tests.end_to_end.terminal import deployment

NEW = (ConnectionKind.NEW,)
COMPLETE = ("--steps", "50,100,pause", "--settle", "1s")
"""The canary has as many pods as stable, and all the traffic."""


@contextlib.asynccontextmanager
async def in_the_instant(shop: Shop, real: ControlPlane) -> AsyncIterator[None]:
    """Promote, and enter the block between the canary's deletion and the adoption."""

    async def is_orphaning() -> bool:
        canary = await shop.object("deployment", "shop-rev2")
        return "deletionTimestamp" in canary["metadata"]

    with contextlib.ExitStack() as standing:
        standing.enter_context(real.suspended("kube-controller-manager"))
        async with shop.driven("promote", "shop") as driver:
            await shop.until(is_orphaning, "the canary's deletion has begun")
            yield
            standing.close()
            await driver.wait()


@pytest.mark.parametrize(("before", "after"), [(3, 5), (4, 2)], ids=["raised", "lowered"])
async def test_a_number_of_replicas_changed_in_the_instant_is_what_ends_up_running(
    shop: Shop, real: ControlPlane, before: int, after: int
) -> None:
    await shop.open(replicas=before)
    await shop.release(CANARY, *COMPLETE)
    async with under_load(shop.url, rate=100, kinds=NEW) as result:
        async with in_the_instant(shop, real):
            await shop.kubectl("scale", "deployment", "shop", f"--replicas={after}")
        await shop.until_rests(CANARY, count=after)
    report = await result
    assert report.failed_count == 0, report.examples
    assert (await shop.status())["phase"] == "Healthy"


async def test_a_template_changed_in_the_instant_is_tried_after_the_promoted_one(
    shop: Shop, real: ControlPlane
) -> None:
    await shop.open()
    await shop.release(CANARY, *COMPLETE)
    async with under_load(shop.url, rate=100, kinds=NEW) as result:
        async with in_the_instant(shop, real):
            await shop.kubectl("set", "image", "deployment/shop", f"web={THIRD}")
        # The third version is no part of what was promoted: it waits for its own trial.
        await shop.drive(*COMPLETE)
        assert await shop.images() == {CANARY: 3, THIRD: 3}
        await shop.serinus("promote", "shop")
        await shop.until_rests(THIRD)
    report = await result
    assert report.failed_count == 0, report.examples


async def test_a_broader_deployment_turns_the_adoption_into_a_rolling_update(shop: Shop) -> None:
    tier = {"tier": "web"}
    await shop.open(labels=tier)
    broader = deployment("everything", replicas=2, image=THIRD)
    broader["spec"]["selector"] = {"matchLabels": tier}
    broader["spec"]["template"]["metadata"]["labels"] = {"app": "other", **tier}
    await shop.create(broader)
    await shop.serving("everything", 2)
    await shop.release(CANARY, *COMPLETE)
    async with under_load(shop.url, rate=100, kinds=NEW) as result:
        done = await shop.serinus("promote", "shop")
    report = await result
    assert "the selector of Deployment everything matches the canary's pods too" in done.stderr
    assert await shop.images() == {CANARY: 3, THIRD: 2}
    assert await shop.sizes("everything") == {THIRD: 2}
    assert await shop.sizes("shop") == {STABLE: 0, CANARY: 3}
    assert HASH not in await shop.selector()
    assert report.failed_count == 0, report.examples
