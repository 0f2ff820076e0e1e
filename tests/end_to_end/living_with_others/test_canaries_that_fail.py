"""Canaries that do not come up: the deadline ends them, and nobody notices."""

from __future__ import annotations

import pytest

from serinus.load.outcome import ConnectionKind
from tests.control_plane.bench import ControlPlane
from tests.end_to_end.living_with_others.shop import CANARY, STABLE, Shop
from tests.end_to_end.stage import under_load

pytestmark = pytest.mark.xdist_group("local-cluster")

NEW = (ConnectionKind.NEW,)
HALF = ("--weight", "50", "--settle", "1s")


async def aborts(shop: Shop, image: str) -> str:
    """Release what cannot come up; return what the release said to the end."""
    before = {p["metadata"]["uid"] for p in await shop.pods()}
    async with under_load(shop.url, rate=100, kinds=NEW) as result:
        done = await shop.try_("serinus", "release", "shop", f"web={image}", *HALF)
    report = await result
    assert done.code == 1
    assert report.failed_count == 0, report.examples
    assert report.answered_by("1.7.9") == report.answered_count
    assert (await shop.status())["phase"] == "Aborted"
    assert await shop.names() == ["shop"]
    assert await shop.selector() == {"app": "shop"}
    assert {p["metadata"]["uid"] for p in await shop.pods()} == before
    return done.stderr


async def test_a_quota_that_refuses_the_canarys_pods_aborts_the_release(
    shop: Shop, real: ControlPlane
) -> None:
    await shop.open(progressDeadlineSeconds=5)
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": {"hard": {"pods": "3"}},
    }
    await shop.create(quota)

    async def counted() -> bool:
        return "hard" in ((await shop.object("resourcequota", "few")).get("status") or {})

    await shop.until(counted, "the quota is in force")
    words = await aborts(shop, CANARY)
    assert "0 of 3 canary pods became available and none followed within 5 s" in words
    await shop.kubectl("delete", "resourcequota", "few")
    await shop.serinus("retry", "shop")
    assert await shop.images() == {STABLE: 3, CANARY: 3}


async def test_an_image_that_is_not_there_aborts_the_release(shop: Shop) -> None:
    await shop.open(progressDeadlineSeconds=5)
    words = await aborts(shop, "nothing.invalid/shop:2")
    assert "none followed within 5 s" in words


async def test_a_container_that_crashes_again_and_again_aborts_the_release(shop: Shop) -> None:
    crash = "case $SERINUS_IMAGE in *crash) exit 1;; esac"
    run = "exec $SERINUS_PYTHON -m serinus.local_cluster.images.web"
    await shop.open(
        progressDeadlineSeconds=5, container={"command": ["sh", "-c", f"{crash}; {run}"]}
    )
    words = await aborts(shop, "nginx:crash")
    assert "none followed within 5 s" in words
