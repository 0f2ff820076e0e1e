"""Templates that change in the middle of a release, come back, or go out without a trial."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.end_to_end.living_with_others.shop import (
    CANARY,
    FOURTH,
    STABLE,
    THIRD,
    Shop,
    is_ready,
)

pytestmark = pytest.mark.xdist_group("local-cluster")

RESTART = (
    '{"spec":{"template":{"metadata":{"annotations":'
    '{"kubectl.kubernetes.io/restartedAt":"2030-01-01T00:00:00Z"}}}}}'
)


async def test_versions_that_were_only_tried_are_nothing_that_an_undo_goes_back_to(
    shop: Shop,
) -> None:
    await shop.open()
    await shop.release(CANARY)
    for image in (THIRD, FOURTH):
        await shop.kubectl("set", "image", "deployment/shop", f"web={image}")
        await shop.drive()
        assert await shop.images() == {STABLE: 3, image: 1}
    await shop.serinus("promote", "shop")
    await shop.until_rests(FOURTH)
    assert await shop.sizes() == {STABLE: 0, FOURTH: 3}
    history = await shop.kubectl("rollout", "history", "deployment/shop")
    assert len(re.findall(r"^\d+ ", history, re.MULTILINE)) == 2, history
    await shop.serinus("undo", "shop")
    await shop.drive()
    assert await shop.images() == {FOURTH: 3, STABLE: 1}


async def test_with_a_twin_from_0_replicas_and_back_the_old_version_comes(shop: Shop) -> None:
    await shop.open()
    # Rolled out before and taken back: an empty ReplicaSet has the template of the trial.
    for image in (CANARY, STABLE):
        await shop.kubectl("set", "image", "deployment/shop", f"web={image}")
        await shop.kubectl("rollout", "status", "deployment/shop")
    assert await shop.sizes() == {STABLE: 3, CANARY: 0}
    await shop.release(CANARY)
    assert await shop.sizes() == {STABLE: 3}
    await shop.kubectl("scale", "deployment", "shop", "--replicas=0")

    async def stopped() -> bool:
        return (await shop.sizes()) == {STABLE: 0}

    await shop.until(stopped, "stable is scaled to 0")
    await shop.kubectl("scale", "deployment", "shop", "--replicas=3")

    async def back() -> bool:
        return (await shop.images())[STABLE] == 3

    await shop.until(back, "three stable pods are there again")
    assert await shop.sizes() == {STABLE: 3}
    await shop.serinus("resume", "shop")
    await shop.until_rests(CANARY)


async def test_a_restart_at_rest_goes_out_without_a_trial(shop: Shop) -> None:
    await shop.open()
    await shop.release(CANARY, "--steps", "100", "--settle", "1s")
    before = {p["metadata"]["uid"] for p in await shop.pods()}
    refused = await shop.try_("kubectl", "rollout", "restart", "deployment/shop")
    assert "can't restart paused deployment" in refused.stderr
    await shop.serinus("restart", "shop")
    await shop.until_rests(CANARY)
    assert before.isdisjoint({p["metadata"]["uid"] for p in await shop.pods()})
    assert (await shop.status())["phase"] == "Healthy"


async def test_a_restart_while_held_restarts_the_trial_and_no_stable_pod(shop: Shop) -> None:
    await shop.open()
    await shop.release()
    before = {p["metadata"]["uid"]: p for p in await shop.pods()}
    await shop.kubectl("patch", "deployment", "shop", "-p", RESTART)
    await shop.drive()
    after = {p["metadata"]["uid"] for p in await shop.pods()}
    assert await shop.images() == {STABLE: 3, CANARY: 1}
    replaced = {p["spec"]["containers"][0]["image"] for u, p in before.items() if u not in after}
    assert replaced == {CANARY}
    assert (await shop.status())["phase"] == "Paused"


async def test_a_fix_of_what_does_not_serve_goes_out_at_once(shop: Shop, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    ready = f"test ! -e {broken} || case $SERINUS_IMAGE in {THIRD}) exit 0;; *) exit 1;; esac"
    probe = {"exec": {"command": ["sh", "-c", ready]}, "periodSeconds": 1, "failureThreshold": 1}
    await shop.open(container={"readinessProbe": probe})
    await shop.release(CANARY, "--steps", "100", "--settle", "1s")
    broken.touch()

    async def serves_nobody() -> bool:
        return not any(map(is_ready, await shop.pods()))

    await shop.until(serves_nobody, "no pod is ready")
    await shop.kubectl("set", "image", "deployment/shop", f"web={THIRD}")
    done = await shop.drive("--steps", "100", "--settle", "1s")
    assert "rolled out directly: no pod of the stable revision is available" in done.stderr
    await shop.until_rests(THIRD)
