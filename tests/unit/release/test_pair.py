"""A hand-made pair: each verb from each state, and again after a crash at any point."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus import errors
from serinus.controller.observe import controller_uid, replica_set_of, target_of
from serinus.errors import RefusedError
from serinus.kubernetes_model import Propagation
from serinus.kubernetes_model.kinds import DEPLOYMENTS, ENDPOINT_SLICES, SERVICES
from serinus.release.model import Shown
from serinus.release.observation import ReplicaSet
from serinus.release.pair.decide import decide_pair
from serinus.release.pair.model import PairDecision, PairGoal, PairObservation
from serinus.traffic.plan import Live, Manifest
from serinus.traffic.pods import HASH_LABEL
from tests.unit.kubernetes_model.workloads.world import a_deployment, a_template
from tests.unit.release.world import SETTLE_MS, ReleaseWorld, finished

PROMOTE, ABORT = PairGoal("promote"), PairGoal("abort")
STABLE_LABELS = {"app": "shop", "track": "stable"}


def weight(percent: int) -> PairGoal:
    return PairGoal("set-weight", percent * 100)


class PairWorld(ReleaseWorld):
    """`shop` with three pods and `shop-canary` with one, behind the Service `shop`."""

    def __init__(self, *, canary: bool = True, replicas: int = 3) -> None:
        super().__init__(
            replicas=replicas,
            selector={"matchLabels": STABLE_LABELS},
            template=a_template("shop:1", track="stable"),
        )
        self.shown: Shown | None = None
        if canary:
            self.apply(
                a_deployment(
                    "shop-canary",
                    replicas=1,
                    selector={"matchLabels": {"app": "shop", "track": "canary"}},
                    template=a_template("shop:2", track="canary"),
                )
            )
        self.quiet()

    def observe_pair(self) -> PairObservation:
        canary = self.found("Deployment", "shop-canary")
        stable = self.get(DEPLOYMENTS, "shop")
        service = self.found("Service", "shop")
        return PairObservation(
            stable=target_of(stable),
            stable_set=self.current_set(stable),
            canary=None if canary is None else target_of(canary),
            canary_set=None if canary is None else self.current_set(canary),
            stable_object=stable,
            canary_object=canary,
            live=Live(service, self.all(ENDPOINT_SLICES), self.pods()),
            settle_ms=SETTLE_MS,
        )

    def current_set(self, deployment: Manifest) -> ReplicaSet | None:
        wanted = target_of(deployment).template
        sets = [
            replica_set_of(rs, self.pods())
            for rs in self.replica_sets()
            if controller_uid(rs) == deployment["metadata"]["uid"]
        ]
        current = [rs for rs in sets if rs.template == wanted]
        return max(current, key=lambda rs: (rs.wanted_count, rs.number), default=None)

    def turn(self, goal: PairGoal) -> PairDecision:
        """Decide once, and send what was decided."""
        decision = decide_pair(self.observe_pair(), goal, self.shown, self.now)
        for write in decision.writes:
            try:
                finished(self.send(write))
            except errors.ClusterError:
                break
        self.shown = decision.shown
        return decision

    def go(self, goal: PairGoal, *, after_each_turn: Callable[[], None] = lambda: None) -> None:
        """Take the pair to its goal."""
        for _ in range(300):
            self.quiet()
            decision = self.turn(goal)
            after_each_turn()
            if decision.done:
                return
            if not decision.writes and decision.wake_at is not None:
                self.now = max(self.now, decision.wake_at)
            elif not decision.writes:
                assert self.moves() or self.wake_at is not None, decision.waiting
                self.now = max(self.now, self.wake_at or self.now)
        raise AssertionError(f"no end: {decision.waiting}")


def test_set_weight_scales_the_canary_to_the_share() -> None:
    world = PairWorld()
    world.go(weight(50))
    assert world.ready() == {"shop:1": 3, "shop:2": 3}
    world.go(weight(25))
    assert world.ready() == {"shop:1": 3, "shop:2": 1}
    assert HASH_LABEL not in world.selector()


def test_set_weight_0_takes_traffic_off_before_the_pods_go() -> None:
    world = PairWorld()
    seen: list[tuple[set[str], int]] = []

    def look() -> None:
        canary = world.get(DEPLOYMENTS, "shop-canary")["spec"]["replicas"]
        seen.append((world.served_images(), canary))

    world.go(weight(0), after_each_turn=look)
    assert ({"shop:1"}, 1) in seen
    assert ({"shop:1", "shop:2"}, 0) not in seen
    assert world.ready() == {"shop:1": 3}
    assert HASH_LABEL not in world.selector()


def test_a_weight_after_0_brings_the_canary_back() -> None:
    world = PairWorld()
    world.go(weight(0))
    world.go(weight(25))
    assert world.ready() == {"shop:1": 3, "shop:2": 1}


def test_promote_gives_stable_the_pod_spec_and_deletes_the_canary() -> None:
    world = PairWorld()
    world.go(PROMOTE)
    assert world.ready() == {"shop:2": 3}
    assert world.found("Deployment", "shop-canary") is None
    template = world.get(DEPLOYMENTS, "shop")["spec"]["template"]
    assert template["metadata"]["labels"] == STABLE_LABELS
    assert HASH_LABEL not in world.selector()


def test_abort_deletes_the_canary_and_leaves_stable_alone() -> None:
    world = PairWorld()
    before = world.get(DEPLOYMENTS, "shop")["spec"]
    world.go(ABORT)
    assert world.ready() == {"shop:1": 3}
    assert world.found("Deployment", "shop-canary") is None
    assert world.get(DEPLOYMENTS, "shop")["spec"] == before
    assert HASH_LABEL not in world.selector()


@pytest.mark.parametrize("goal", [PROMOTE, ABORT, weight(0), weight(50)])
def test_a_goal_that_is_reached_needs_no_more_writes(goal: PairGoal) -> None:
    world = PairWorld()
    world.go(goal)
    world.sent.clear()
    world.go(goal)
    assert world.sent == []


@pytest.mark.parametrize("goal", [PROMOTE, ABORT, weight(0)])
def test_without_a_canary_there_is_nothing_to_take_away(goal: PairGoal) -> None:
    world = PairWorld(canary=False)
    world.go(goal)
    assert world.sent == []


def test_an_abort_right_behind_a_promote_waits_for_the_deployment_controller() -> None:
    world = PairWorld()
    world.turn(PROMOTE)
    decision = world.turn(ABORT)
    assert (decision.writes, decision.done) == ((), False)
    assert "has no ReplicaSet of its template" in decision.waiting
    world.go(ABORT)
    assert world.ready() == {"shop:2": 3}


goals = st.sampled_from([PROMOTE, ABORT, weight(0), weight(25), weight(50)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), goals), max_size=3), goals, st.integers(0, 99))
def test_any_verb_leads_to_its_end_wherever_the_one_before_it_was_left(
    left: list[tuple[int, PairGoal]], goal: PairGoal, seed: int
) -> None:
    world, chance = PairWorld(), random.Random(seed)
    for turn_count, other in left:
        # A driver that dies takes what it knew about the proxies with it.
        world.shown = None
        for _ in range(turn_count):
            for _ in range(chance.randrange(4)):
                for move in world.moves()[:1]:
                    move()
            try:
                world.turn(other)
            except RefusedError as refusal:
                assert refusal.reason in ("NoCanary", "CanaryNotReady")  # noqa: PT017 - or not
            world.now += chance.choice((1, SETTLE_MS))
    world.shown = None
    world.quiet()
    canary = world.found("Deployment", "shop-canary")
    try:
        world.go(goal)
    except RefusedError as refusal:
        gone = canary is None or canary["spec"]["replicas"] == 0
        assert refusal.reason in ("NoCanary", "CanaryNotReady")  # noqa: PT017 - or it works
        assert gone
        return
    assert HASH_LABEL not in world.selector()
    ready = world.ready()
    if goal.verb != "set-weight":
        assert sum(ready.values()) == 3
        assert world.found("Deployment", "shop-canary") is None
    assert len(world.selected()) == sum(ready.values()) >= 3


def refusal_of(world: PairWorld, goal: PairGoal) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        world.go(goal)
    return caught.value


def test_a_weight_without_a_canary_is_refused() -> None:
    refusal = refusal_of(PairWorld(canary=False), weight(25))
    assert refusal.reason == "NoCanary"
    assert "no second Deployment behind the Service of shop" in str(refusal)


def test_a_canary_that_does_not_run_is_not_promoted() -> None:
    world = PairWorld()
    world.change(DEPLOYMENTS, "shop-canary", replicas=0)
    world.quiet()
    refusal = refusal_of(world, PROMOTE)
    assert refusal.reason == "CanaryNotReady"
    assert "0 of 0 pods of the canary shop-canary are available" in str(refusal)


def test_a_paused_stable_is_not_promoted_to() -> None:
    world = PairWorld()
    world.change(DEPLOYMENTS, "shop", paused=True)
    refusal = refusal_of(world, PROMOTE)
    assert refusal.reason == "Paused"
    assert "kubectl rollout resume deployment/shop" in str(refusal)


def test_a_promotion_that_does_not_become_ready_is_told_and_the_canary_stays() -> None:
    world = PairWorld()
    world.quiet()
    world.change(DEPLOYMENTS, "shop", progressDeadlineSeconds=5)
    world.turn(PROMOTE)
    world.broken.add("shop:2")
    refusal = refusal_of(world, PROMOTE)
    assert refusal.reason == "RolloutFailed"
    assert "kubectl rollout undo deployment/shop takes shop back" in str(refusal)
    assert world.ready()["shop:2"] == 1


def test_abort_waits_for_stable_pods_before_it_sends_all_users_there() -> None:
    world = PairWorld()
    world.broken.add("shop:1")
    for pod in world.selected():
        if pod["metadata"]["labels"]["track"] == "stable":
            world.kill(pod)
    world.quiet()
    decision = world.turn(ABORT)
    assert decision.writes == ()
    assert decision.waiting == "0 of at least 3 stable pods are available"


def test_a_service_that_serves_nobody_is_opened_before_anything_else() -> None:
    world = PairWorld()
    world.go(weight(25))
    world.change(SERVICES, "shop", selector={"app": "shop", HASH_LABEL: "gone"})
    decision = world.turn(ABORT)
    assert decision.waiting == "the Service serves nobody: it is opened again"
    assert HASH_LABEL not in world.selector()


def test_traffic_goes_off_the_canary_even_where_its_deployment_was_orphaned() -> None:
    world = PairWorld()
    world.delete(DEPLOYMENTS, "shop-canary", Propagation.ORPHAN)
    world.quiet()
    decision = world.turn(ABORT)
    assert decision.waiting.startswith("1 other pod")


def test_a_paused_deployment_without_a_replica_set_of_its_template_is_refused() -> None:
    world = PairWorld(canary=False)
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2", track="stable"), paused=True)
    world.quiet()
    for goal in (PROMOTE, ABORT):
        with pytest.raises(RefusedError, match="kubectl rollout resume deployment/shop first"):
            decide_pair(world.observe_pair(), goal, None, 0)
