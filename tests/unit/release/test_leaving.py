"""A release that is deleted, in every phase: what it changed is put back, then its record goes."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.kubernetes_model import Propagation
from serinus.kubernetes_model.kinds import DEPLOYMENTS, SERVICES
from serinus.release.holding import OFF, RELEASE_LABEL
from serinus.release.model import CommandVerb, Phase, Promotion
from serinus.release.observation import HoldBy
from serinus.traffic.router import Mode
from tests.unit.kubernetes_model.workloads.world import a_deployment, a_template, image_of
from tests.unit.release.world import ReleaseWorld, a_service, a_spec

HOLDS = pytest.mark.parametrize("hold_by", HoldBy)


def a_world(hold_by: HoldBy, steps: str = "25,pause,50", **spec: Any) -> ReleaseWorld:
    world = ReleaseWorld(spec=a_spec(steps, **spec))
    world.hold_by = hold_by
    world.play()
    return world


def leave(world: ReleaseWorld) -> None:
    """Delete the release and go on until its record is gone."""
    world.delete_release()
    world.play(lambda done: done.decision.gone)
    assert world.forgotten
    assert world.canary is None
    assert world.get(SERVICES, "shop")["spec"]["selector"] == a_service()["spec"]["selector"]
    shop = world.get(DEPLOYMENTS, "shop")
    assert shop["metadata"].get("labels", {}) == a_deployment()["metadata"].get("labels", {})
    assert sum(world.ready().values()) == shop["spec"]["replicas"] == 3


def paused(world: ReleaseWorld) -> bool:
    return bool(world.get(DEPLOYMENTS, "shop")["spec"].get("paused"))


@HOLDS
def test_at_rest_the_deployment_is_as_it_was(hold_by: HoldBy) -> None:
    world = a_world(hold_by)
    leave(world)
    assert not paused(world)
    assert world.ready() == {"shop:1": 3}


@HOLDS
@pytest.mark.parametrize("mode", Mode)
def test_in_the_midst_of_a_trial_the_new_template_stays_and_waits(
    hold_by: HoldBy, mode: Mode
) -> None:
    world = a_world(hold_by, mode=mode)
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    leave(world)
    assert world.ready() == {"shop:1": 3}
    assert paused(world)
    assert image_of(world.get(DEPLOYMENTS, "shop")) == "shop:2"
    last = world.rounds[-1].decision.notes[-1]
    assert "kubectl rollout resume deployment/shop rolls it out" in last.message


@HOLDS
def test_before_its_canary_is_there(hold_by: HoldBy) -> None:
    world = a_world(hold_by)
    world.set_image("shop:2")
    leave(world)
    assert world.ready() == {"shop:1": 3}
    assert paused(world)


@HOLDS
def test_an_aborted_release(hold_by: HoldBy) -> None:
    world = a_world(hold_by)
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    world.give(CommandVerb.ABORT)
    world.play()
    leave(world)
    assert world.ready() == {"shop:1": 3}
    assert paused(world)


@HOLDS
@pytest.mark.parametrize("promotion", Promotion)
@pytest.mark.parametrize("round_count", range(12))
def test_at_any_moment_of_a_promotion(
    hold_by: HoldBy, promotion: Promotion, round_count: int
) -> None:
    world = a_world(hold_by, "25,pause", promotion=promotion)
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    world.give(CommandVerb.PROMOTE)
    for _ in range(round_count):
        world.quiet()
        world.round()
        world.now += 2_000
    leave(world)
    shop = image_of(world.get(DEPLOYMENTS, "shop"))
    assert shop == "shop:2"
    assert len(world.ready()) == 1
    # What runs and what is wanted: equal and free, or different and paused.
    assert paused(world) == (world.ready() != {"shop:2": 3})


@HOLDS
def test_when_the_template_was_set_back(hold_by: HoldBy) -> None:
    world = a_world(hold_by)
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    world.set_image("shop:1")
    leave(world)
    assert world.ready() == {"shop:1": 3}
    assert not paused(world)


@HOLDS
@pytest.mark.parametrize("moment", ["at rest", "on trial", "aborted"])
def test_when_the_service_is_gone(hold_by: HoldBy, moment: str) -> None:
    world = a_world(hold_by)
    if moment != "at rest":
        world.set_image("shop:2")
        world.play_until(Phase.PAUSED)
    if moment == "aborted":
        world.give(CommandVerb.ABORT)
        world.play()
    world.delete(SERVICES, "shop")
    world.quiet()
    world.delete_release()
    world.play(lambda done: done.decision.gone)
    assert world.canary is None
    assert world.ready() == {"shop:1": 3}


@HOLDS
def test_when_deployment_and_service_are_gone(hold_by: HoldBy) -> None:
    world = a_world(hold_by)
    world.delete(SERVICES, "shop")
    world.delete(DEPLOYMENTS, "shop")
    world.quiet()
    world.delete_release()
    world.play(lambda done: done.decision.gone)
    assert world.forgotten


def test_an_abort_takes_the_canary_away_also_without_a_service() -> None:
    world = a_world(HoldBy.FIELD)
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    world.delete(SERVICES, "shop")
    world.quiet()
    world.give(CommandVerb.ABORT)
    assert world.play().decision.status.phase is Phase.ABORTED
    assert world.canary is None


@HOLDS
def test_when_the_deployment_is_gone(hold_by: HoldBy) -> None:
    world = a_world(hold_by)
    world.delete(DEPLOYMENTS, "shop")
    world.quiet()
    world.delete_release()
    world.play(lambda done: done.decision.gone)
    assert world.forgotten


@HOLDS
@pytest.mark.parametrize("propagation", Propagation)
def test_when_the_deployment_went_in_the_midst_of_a_trial(
    hold_by: HoldBy, propagation: Propagation
) -> None:
    """Deleted as an orphan it leaves a canary without an owner, which nobody would take away."""
    world = a_world(hold_by)
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    world.delete(DEPLOYMENTS, "shop", propagation)
    world.quiet()
    world.delete_release()
    world.play(lambda done: done.decision.gone)
    world.quiet()
    assert world.all(DEPLOYMENTS) == []


@HOLDS
def test_when_another_template_rolls_out_past_the_canary(hold_by: HoldBy) -> None:
    """Paused half way it could never carry all, and the release would never be gone."""
    world = a_world(hold_by)
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    world.broken = {"shop:3"}
    world.relabel(DEPLOYMENTS, "shop", **{RELEASE_LABEL: OFF})
    world.change(DEPLOYMENTS, "shop", paused=None, template=a_template("shop:3"))
    world.quiet()
    assert world.wanted()["shop:3"]
    world.delete_release()
    world.round()
    world.broken = set()
    leave(world)
    assert world.ready() == {"shop:3": 3}
