"""Single releases in which something comes in between: what is asked of each, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from serinus import errors
from serinus import kubernetes_model as model
from serinus.controller.observe import observe
from serinus.controller.reconcile import remembered
from serinus.kubernetes_model.kinds import DEPLOYMENTS, SERVICES
from serinus.release.decide import decide
from serinus.release.model import CommandVerb, Phase, Promotion
from serinus.release.observation import HoldBy
from serinus.release.revision import RESTARTED_AT
from serinus.release.stages.route import follow
from serinus.traffic.plan import TrafficPlan
from serinus.traffic.pods import HASH_LABEL
from serinus.traffic.router import Mode
from serinus.traffic.write import Write
from tests.unit.kubernetes_model.workloads.world import a_deployment, image_of
from tests.unit.release.stories import (
    NEW,
    NEWER,
    NO_SURGE,
    OLD,
    answer_of,
    at_rest,
    healthy_on,
    released,
)
from tests.unit.release.world import SETTLE_MS, ReleaseWorld, a_service, a_spec, finished


class Refusing(ReleaseWorld):
    """A world that refuses the next write that fits."""

    refuses: Callable[[Write], bool] = staticmethod(lambda _: False)

    async def send(self, write: Write) -> None:
        if self.refuses(write):
            self.refuses = lambda _: False
            raise errors.Conflict("somebody was faster")
        await super().send(write)


# Constant mode: N is the user's, whatever we hold stable at.


@pytest.mark.parametrize(("replicas", "strategy"), [(2, NO_SURGE), (2, None), (1, None)])
def test_constant_mode_with_one_or_two_pods_ends_with_as_many(replicas: int, strategy: Any) -> None:
    world = at_rest(replicas=replicas, strategy=strategy, mode=Mode.CONSTANT, steps="50")
    world.set_image(NEW)
    healthy_on(world, NEW, replicas)


def test_a_scaling_that_was_refused_after_it_was_noted_loses_no_replica() -> None:
    world = Refusing(replicas=4, spec=a_spec("75", mode=Mode.CONSTANT))
    world.play()
    world.refuses = lambda write: write.why.startswith("scale stable")
    world.set_image(NEW)
    healthy_on(world, NEW, 4)


def test_a_person_who_scales_in_constant_mode_sets_a_new_n() -> None:
    world = released("50,pause", mode=Mode.CONSTANT)
    world.change(DEPLOYMENTS, "shop", replicas=6)
    world.give(CommandVerb.PROMOTE)
    healthy_on(world, NEW, 6)


@pytest.mark.parametrize("propagation", model.Propagation)
def test_a_deployment_that_is_created_anew_has_the_n_that_its_owner_writes(
    propagation: model.Propagation,
) -> None:
    """Even where it is the very count to which we had scaled the one before."""
    world = released("50,pause", mode=Mode.CONSTANT)
    assert world.get(DEPLOYMENTS, "shop")["spec"]["replicas"] == 2
    world.delete(DEPLOYMENTS, "shop", propagation)
    world.quiet()
    world.apply(a_deployment(image=NEW, replicas=2))
    world.play(lambda done: not done.sent and done.decision.status.phase is not Phase.DEGRADED)
    world.give(CommandVerb.PROMOTE)
    healthy_on(world, NEW, 2)


@pytest.mark.parametrize("steps", ["75,pause", "100,pause"])
def test_abort_in_constant_mode_waits_for_stable_before_it_takes_the_traffic_back(
    steps: str,
) -> None:
    world = released(steps, mode=Mode.CONSTANT)
    fewest = []
    world.after_each_change = lambda: fewest.append(len(world.selected()))
    world.give(CommandVerb.ABORT)
    assert world.play().decision.status.phase is Phase.ABORTED
    assert world.ready() == {OLD: 4}
    assert min(fewest) >= 3


def test_stable_does_not_shrink_while_it_has_all_the_users() -> None:
    world = at_rest(replicas=4, mode=Mode.CONSTANT, steps="0,pause,75")
    world.set_image(NEW)
    world.play_until(Phase.PAUSED)
    assert world.served_images() == {OLD}
    fewest = []
    world.after_each_change = lambda: fewest.append(len(world.selected()))
    world.give(CommandVerb.RESUME)
    healthy_on(world, NEW, 4)
    assert min(fewest) >= 4


def test_back_to_0_in_constant_mode_brings_stable_back_first() -> None:
    world = released("75,pause", mode=Mode.CONSTANT)
    fewest = []
    world.after_each_change = lambda: fewest.append(len(world.selected()))
    world.give(CommandVerb.SET_WEIGHT, weight_bp=0)
    world.round()
    world.play_to_waiting("WaitingForPerson")
    assert world.served_images() == {OLD}
    assert min(fewest) >= 4


def test_a_template_that_is_set_back_before_its_canary_is_there_gives_n_back() -> None:
    world = at_rest(replicas=3, strategy=NO_SURGE, mode=Mode.CONSTANT, steps="50")
    world.set_image(NEW)
    world.play(lambda done: any("scale stable" in write.why for write in done.sent))
    world.set_image(OLD)
    healthy_on(world, OLD, 3)


def test_our_own_scaling_is_not_taken_for_one_pod_that_cannot_be_shared_out() -> None:
    world = at_rest(replicas=2, strategy=NO_SURGE, mode=Mode.CONSTANT, steps="50")
    world.set_image(NEW)
    world.play(lambda done: any("scale stable" in write.why for write in done.sent))
    done = world.play()
    assert done.decision.status.phase is Phase.HEALTHY


# N changes in Surge mode.


@pytest.mark.parametrize("replicas", [1, 2, 6])
def test_a_person_who_scales_in_surge_mode_gets_the_pods_at_once(replicas: int) -> None:
    world = released("50,pause")
    world.change(DEPLOYMENTS, "shop", replicas=replicas)
    world.play_until(Phase.PAUSED)
    assert world.ready() == {OLD: replicas, NEW: replicas}
    world.give(CommandVerb.RESUME)
    healthy_on(world, NEW, replicas)


@pytest.mark.parametrize("replicas", [2, 6])
def test_a_scaling_right_before_the_adoption_is_followed(replicas: int) -> None:
    world = at_rest(steps="50", undo_window_ms=60_000)
    world.set_image(NEW)
    world.play_to_waiting("WaitingForUndoWindow")
    world.now += 60_000
    world.change(DEPLOYMENTS, "shop", replicas=replicas)
    healthy_on(world, NEW, replicas)


@pytest.mark.parametrize("replicas", [2, 6])
def test_a_scaling_while_the_pods_are_handed_over_ends_with_that_many(replicas: int) -> None:
    world = at_rest(steps="50")
    world.set_image(NEW)
    world.play(lambda done: any(write.why.startswith("hand the") for write in done.sent))
    world.change(DEPLOYMENTS, "shop", replicas=replicas)
    healthy_on(world, NEW, replicas)


# The target changes.


@pytest.mark.parametrize("reason", ["WaitingForUndoWindow", "WaitingForSettle"])
def test_a_new_template_during_the_promotion_starts_a_trial_of_its_own(reason: str) -> None:
    world = at_rest(steps="50,100", undo_window_ms=60_000)
    world.set_image(NEW)
    world.play_to_waiting(reason)
    world.set_image(NEWER)
    healthy_on(world, NEWER, 4)
    assert [e.outcome for e in world.status.history] == ["Replaced", "Promoted"]


def test_a_new_template_while_the_pods_are_handed_over_is_tried_after_all() -> None:
    world = at_rest(steps="50")
    world.set_image(NEW)
    world.play(lambda done: any(write.why.startswith("hand the") for write in done.sent))
    world.set_image(NEWER)
    healthy_on(world, NEWER, 4)


def test_a_template_that_is_set_back_ends_the_release() -> None:
    world = released("50,pause")
    world.set_image(OLD)
    healthy_on(world, OLD, 4)
    assert [e.outcome for e in world.status.history] == ["TargetRestored"]


# Pods and objects are lost.


def test_when_stable_loses_all_pods_the_service_opens_and_the_release_goes_on() -> None:
    world = released("0,pause,25")
    assert world.served_images() == {OLD}
    for pod in world.selected():
        world.kill(pod)
    world.round()
    assert world.served_images() == {NEW}
    world.play_until(Phase.PAUSED)
    assert world.served_images() == {OLD}
    world.give(CommandVerb.RESUME)
    healthy_on(world, NEW, 4)


def test_when_the_canary_loses_all_pods_at_100_percent_the_users_go_back_to_stable() -> None:
    world = released("100,pause")
    assert world.served_images() == {NEW}
    world.broken.add(NEW)
    for pod in world.selected():
        world.kill(pod)
    world.round()
    assert world.served_images() == {OLD}
    assert world.play().decision.status.phase is Phase.ABORTED
    assert world.ready() == {OLD: 4}


def test_a_canary_that_a_person_deletes_is_made_again() -> None:
    world = released("50,pause")
    world.delete_ours()
    world.quiet()
    world.give(CommandVerb.RESUME)
    world.round()
    assert answer_of(world).startswith("the canary is not there yet")
    world.play_to_waiting("WaitingForPerson")
    world.give(CommandVerb.RESUME)
    healthy_on(world, NEW, 4)


def test_without_a_service_a_release_waits_and_goes_on_when_it_is_back() -> None:
    world = released("50,pause")
    world.delete(SERVICES, "shop")
    world.give(CommandVerb.RESUME)
    world.play_to_waiting("WaitingForRoute")
    world.apply(a_service())
    healthy_on(world, NEW, 4)


def test_without_its_deployment_a_release_is_degraded_and_the_service_open() -> None:
    world = released("100,pause")
    world.delete(DEPLOYMENTS, "shop")
    done = world.play()
    assert done.decision.status.phase is Phase.DEGRADED
    assert done.decision.status.message == (
        "spec.targetRef.name: Deployment shop is not there; create it, or delete this release"
    )
    assert HASH_LABEL not in world.selector()
    world.apply(a_deployment(image=NEW, replicas=2))
    healthy_on(world, NEW, 2)


# The rest.


def test_a_blocking_finding_that_goes_away_lets_the_release_go_on() -> None:
    world = at_rest(replicas=1, steps="5")
    world.set_image(NEW)
    done = world.play()
    assert done.decision.status.phase is Phase.DEGRADED
    assert "cannot express 5 %" in done.decision.status.message
    assert world.ready() == {OLD: 1}
    world.change(DEPLOYMENTS, "shop", replicas=6)
    healthy_on(world, NEW, 6)


def test_a_deadline_aborts_or_where_that_is_not_wished_degrades() -> None:
    world = at_rest(steps="25")
    world.broken.add(NEW)
    world.set_image(NEW)
    done = world.play()
    assert done.decision.status.phase is Phase.ABORTED
    assert "0 of 1 canary pods became available" in done.decision.status.message
    world = at_rest(steps="25", abort_on_deadline=False)
    world.broken.add(NEW)
    world.set_image(NEW)
    assert world.play().decision.status.phase is Phase.DEGRADED
    assert world.served_images() == {OLD}
    world.broken.clear()
    healthy_on(world, NEW, 4)


def without_endpoints(world: ReleaseWorld) -> None:
    """Let all controllers work but the one for EndpointSlices."""
    while others := [k for k in world.controllers.pending if k.controller != "endpoint-slice"]:
        world.control(others[0])


def test_the_deadline_of_pods_is_kept_in_view_while_the_route_is_waited_for() -> None:
    world = at_rest(mode=Mode.CONSTANT, steps="50")
    world.set_image(NEW)
    world.play(lambda done: bool(done.sent))
    without_endpoints(world)
    world.begin(world.pods()[-1])
    without_endpoints(world)
    assert world.ready()[NEW] == 1
    done = world.round()
    assert done is not None
    waiting, progress = done.decision.status.waiting, done.decision.status.progress
    assert waiting is not None
    assert waiting.reason == "WaitingForRoute"
    assert progress is not None
    assert done.decision.wake_at == progress.deadline_ms


def test_a_fix_goes_out_at_once_where_nothing_serves() -> None:
    world = ReleaseWorld(spec=a_spec("25,pause"))
    world.broken.add(OLD)
    world.quiet()
    world.set_image(NEW)
    healthy_on(world, NEW, 3)


def test_a_restart_goes_out_at_once() -> None:
    world = at_rest(steps="25,pause")
    before = {pod["metadata"]["uid"] for pod in world.pods()}
    world.set_image(OLD, **{RESTARTED_AT: "2026-01-01T00:00:00Z"})
    healthy_on(world, OLD, 4)
    assert not before & {pod["metadata"]["uid"] for pod in world.pods()}


def test_a_release_that_is_let_out_does_not_say_that_it_is_paused() -> None:
    world = released("25,pause")
    world.change(DEPLOYMENTS, "shop", replicas=0)
    world.quiet()
    world.round()
    assert world.status.phase is Phase.PROGRESSING


def test_a_clock_that_is_set_back_only_makes_waits_longer() -> None:
    world = released("25,pause,50,pause:1m")
    world.now -= 3_600_000
    world.give(CommandVerb.RESUME)
    healthy_on(world, NEW, 4)


def test_a_rolling_update_without_surge_is_let_go_once() -> None:
    world = at_rest(replicas=1, strategy=NO_SURGE, steps="100", promotion=Promotion.ROLLING_UPDATE)
    world.set_image(NEW)
    world.play(lambda done: any(write.why.startswith("let the Dep") for write in done.sent))
    world.round()
    world.round()
    assert sum(why.startswith("let the Deployment") for why in world.whys()) == 1
    healthy_on(world, NEW, 1)


def test_adoption_starts_no_pod() -> None:
    world = released("50,pause")
    before = {p["metadata"]["uid"] for p in world.pods() if image_of(p) == NEW}
    world.give(CommandVerb.PROMOTE)
    healthy_on(world, NEW, 4)
    assert {p["metadata"]["uid"] for p in world.pods()} == before


def test_deciding_twice_on_the_same_world_decides_the_same() -> None:
    world = at_rest(steps="25")
    world.set_image(NEW)
    world.play()
    for done in world.rounds:
        again = decide(done.observation, world.now)
        assert decide(done.observation, world.now) == again


def test_a_share_that_needs_no_change_of_the_service_counts_at_once() -> None:
    """The proxies have followed an open Service for long when the first canary pod joins it."""
    world = at_rest(steps="25,pause")
    world.now += SETTLE_MS
    began = world.now
    world.set_image(NEW)
    world.play_until(Phase.PAUSED)
    assert (world.now, world.status.weight_bp) == (began, 2_500)


def test_what_is_noted_at_rest_costs_no_write_of_its_own() -> None:
    world = at_rest(steps="25,pause")
    world.hold_by = HoldBy.POLICY
    world.play()
    world.set_image(NEW)
    world.play_until(Phase.PAUSED)
    world.give(CommandVerb.PROMOTE)
    world.rounds.clear()
    healthy_on(world, NEW, 4)
    (holding,) = [r for r in world.rounds if any("policy" in write.why for write in r.sent)]
    assert remembered(holding.decision.status) == remembered(holding.observation.status)


def test_a_share_waits_for_proxies_that_may_still_know_a_narrowed_service() -> None:
    world = released("25,pause")
    world.give(CommandVerb.PROMOTE)
    healthy_on(world, NEW, 4)
    opened = world.now
    world.set_image(NEWER)
    world.play_until(Phase.PAUSED)
    assert world.now == opened + SETTLE_MS


def test_a_pod_that_is_still_to_join_an_open_service_does_not_start_the_wait_again() -> None:
    world = at_rest(steps="25,pause")
    world.now += SETTLE_MS
    world.set_image(NEW)
    world.play_until(Phase.PAUSED)
    release = world.stored.release
    seen = observe(release, finished(world.read(release.spec))).observation
    (listed,) = seen.live.slices
    behind = {**listed, "endpoints": listed["endpoints"][:-1]}
    live = msgspec.structs.replace(seen.live, slices=(behind,))
    plan = TrafficPlan.split(world.status.stable_hash, world.status.canary_hash, 2_500)
    joining = follow(msgspec.structs.replace(seen, live=live), plan, world.now)
    assert (joining.in_force, joining.is_shown) == (False, False)
    assert world.status.shown is not None
    assert joining.shown == world.status.shown
    assert follow(seen, plan, world.now).in_force


def test_a_release_at_rest_writes_its_record_once() -> None:
    world = released("25,pause")
    world.give(CommandVerb.PROMOTE)
    world.play()
    before = world.status
    world.now += 10 * SETTLE_MS
    world.round()
    assert world.status == before
    assert world.status.message == "every pod of shop runs the new revision"


@pytest.mark.parametrize(
    ("verb", "phase", "image"),
    [
        (CommandVerb.PROMOTE, Phase.HEALTHY, NEW),
        (CommandVerb.ABORT, Phase.ABORTED, OLD),
        (CommandVerb.RESUME, Phase.HEALTHY, NEW),
    ],
)
@pytest.mark.parametrize("steps", ["25,pause", "0,pause"])
def test_a_service_that_its_owner_sends_elsewhere_is_left_to_that(
    steps: str, verb: CommandVerb, phase: Phase, image: str
) -> None:
    world = released(steps)
    # A change of one key: a hash that is there stays.
    world.change(SERVICES, "shop", selector={**world.selector(), "app": "sorry"})
    world.give(verb)
    for _ in range(40):
        world.quiet()
        world.round()
        world.now += 500
    assert world.selector() == {"app": "sorry"}
    assert world.ready()[OLD] == 4
    waiting = world.status.waiting
    assert waiting is not None
    assert waiting.message == "Service shop: it selects app=sorry, none of these pods"
    world.change(SERVICES, "shop", selector={"app": "shop"})
    assert world.play().decision.status.phase is phase
    assert world.ready() == {image: 4}
    assert world.selector() == {"app": "shop"}
