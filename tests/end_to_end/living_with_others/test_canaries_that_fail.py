"""Canaries that do not come up: the deadline ends them, and nobody notices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serinus.load.outcome import ConnectionKind
from tests.control_plane.bench import ControlPlane
from tests.end_to_end.living_with_others.shop import CANARY, STABLE, Shop
from tests.end_to_end.stage import under_load

pytestmark = pytest.mark.xdist_group("local-cluster")

NEW = (ConnectionKind.NEW,)
HALF = ("--weight", "50", "--settle", "1s")


async def aborts(shop: Shop, *what: str, stable: str = "1.7.9") -> str:
    """Release what cannot come up; return what the release said to the end."""
    before = {p["metadata"]["uid"] for p in await shop.pods()}
    async with under_load(shop.url, rate=100, kinds=NEW) as result:
        done = await shop.try_("serinus", "release", "shop", *what, *HALF)
    report = await result
    assert done.code == 1
    assert report.failed_count == 0, report.examples
    assert report.answered_by(stable) == report.answered_count
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
    words = await aborts(shop, f"web={CANARY}")
    assert "0 of 3 canary pods became available and none followed within 5 s" in words
    await shop.kubectl("delete", "resourcequota", "few")
    await shop.serinus("retry", "shop")
    assert await shop.images() == {STABLE: 3, CANARY: 3}


async def test_an_image_that_is_not_there_aborts_the_release(shop: Shop) -> None:
    await shop.open(progressDeadlineSeconds=5)
    words = await aborts(shop, "web=nothing.invalid/shop:2")
    assert "none followed within 5 s" in words


async def crashing(shop: Shop, *, probed: bool) -> None:
    """Have a template held whose container ends as soon as it starts."""
    await shop.open(progressDeadlineSeconds=5)
    # Held since this release, so that a template changed by hand waits for its trial.
    await shop.release(CANARY, *HALF)
    await shop.serinus("promote", "shop")
    crash: dict[str, Any] = {"name": "web", "command": ["sh", "-c", "exit 1"]}
    if probed:
        crash["readinessProbe"] = {"httpGet": {"port": 80}}
    patch = {"spec": {"template": {"spec": {"containers": [crash]}}}}
    await shop.kubectl("patch", "deployment", "shop", "-p", json.dumps(patch))


async def test_a_container_that_crashes_again_and_again_aborts_the_release(shop: Shop) -> None:
    await crashing(shop, probed=True)
    words = await aborts(shop, stable="1.8.0")
    assert "none followed within 5 s" in words


async def test_pods_without_a_probe_are_warned_of_before_anything_is_tried(shop: Shop) -> None:
    await crashing(shop, probed=False)
    # Kubernetes takes such a pod for ready while its process lives: what follows is a race.
    done = await shop.serinus("release", "shop", *HALF, "--dry-run", "client")
    assert "no container of Deployment shop has a readinessProbe" in done.stderr
    assert await shop.images() == {CANARY: 3}
