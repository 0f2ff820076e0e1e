"""The Deployment is deleted in the middle of a release."""

from __future__ import annotations

import pytest

from serinus.load.outcome import ConnectionKind
from tests.end_to_end.living_with_others.shop import CANARY, STABLE, Shop
from tests.end_to_end.stage import under_load
from tests.end_to_end.terminal import deployment

pytestmark = pytest.mark.xdist_group("local-cluster")

NEW = (ConnectionKind.NEW,)


async def test_an_orphaning_deletion_leaves_all_pods_and_the_manifest_takes_them_back(
    shop: Shop,
) -> None:
    await shop.open()
    async with under_load(shop.url, rate=100, kinds=NEW) as result:
        await shop.release()
        before = {p["metadata"]["uid"] for p in await shop.pods()}
        await shop.kubectl("delete", "deployment", "shop", "--cascade=orphan")
        gone = await shop.try_("serinus", "resume", "shop", "--timeout", "5s")
        assert "Deployment shop is not there" in gone.stderr
        assert {p["metadata"]["uid"] for p in await shop.pods()} == before
        # Made again as it was, the Deployment takes its pods back, and the trial is over.
        await shop.apply(deployment("shop"))
        await shop.drive()
        await shop.until_rests(STABLE)
        assert before >= {p["metadata"]["uid"] for p in await shop.pods()}
    report = await result
    assert report.failed_count == 0, report.examples


async def test_a_plain_deletion_takes_the_canary_along_and_the_next_release_is_a_new_one(
    shop: Shop,
) -> None:
    await shop.open()
    await shop.release()
    await shop.kubectl("delete", "deployment", "shop", "--wait")

    async def gone() -> bool:
        return await shop.names() == [] and await shop.pods() == []

    await shop.until(gone, "Deployment, canary and pods are gone")
    done = await shop.try_("serinus", "resume", "shop", "--timeout", "5s")
    assert "Deployment shop is not there" in done.stderr
    assert await shop.selector() == {"app": "shop"}
    await shop.open()
    assert await shop.images() == {STABLE: 3}
    await shop.release()
    assert await shop.images() == {STABLE: 3, CANARY: 1}
    await shop.serinus("promote", "shop")
    await shop.until_rests(CANARY)
