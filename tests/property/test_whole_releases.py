"""Laws of whole releases, whatever the cluster, its pods and people do in between.

The schedule is drawn: which controller key or pod moves next, when a round is played, when a write
of ours is refused, and when a person scales, commands, or changes the template.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serinus import errors
from serinus.controller.observe import observe
from serinus.kubernetes_model import Propagation
from serinus.kubernetes_model.controllers import Controllers
from serinus.kubernetes_model.kinds import DEPLOYMENTS, SERVICES
from serinus.release.model import (
    CommandVerb,
    Pause,
    Phase,
    Promotion,
    SetWeight,
    Step,
)
from serinus.release.revision import RESTARTED_AT
from serinus.release.stages.reaching import Reach, reach
from serinus.traffic.pods import HASH_LABEL, is_ready
from serinus.traffic.router import Mode
from serinus.traffic.write import Write
from tests.unit.kubernetes_model.workloads.world import a_deployment, image_of
from tests.unit.release.world import ReleaseWorld, a_service, a_spec, finished

OLD, NEW, NEWER = "shop:1", "shop:2", "shop:3"
WALK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Crowd(ReleaseWorld):
    """A release in which everything happens in a drawn order, under the eyes of its users."""

    def __init__(self, seed: int, *, replicas: int, **arguments: Any) -> None:
        self.random = random.Random(seed)
        self.refused_percent = 0
        self.spare_count = 0
        """How many pods fewer than wanted users may find behind the Service."""
        self.watching = False
        self.replica_count = replicas
        super().__init__(replicas=replicas, **arguments)
        self.after_each_change = self.users_are_served

    async def send(self, write: Write) -> None:
        if self.random.randrange(100) < self.refused_percent:
            raise errors.Conflict("somebody was faster")
        revision = _narrows_to(write)
        if revision is not None:
            assert any(
                is_ready(pod) and pod["metadata"]["labels"].get(HASH_LABEL) == revision
                for pod in self.pods()
            ), f"narrowed to {revision}, which serves nobody"
        await super().send(write)

    def users_are_served(self) -> None:
        if not self.watching:
            return
        assert len(self.selected()) >= self.replica_count - self.spare_count, (
            f"{len(self.selected())} of {self.replica_count} behind {self.selector()}: "
            f"{self.status}"
        )

    def stumble(self, step_count: int) -> None:
        """Let things happen in any order; rounds are among them."""
        for _ in range(step_count):
            moves = [*self.moves(), self.round, self.tick]
            self.random.choice(moves)()

    def tick(self) -> None:
        self.now += self.random.choice((1, 500, 2_000, 10_000))

    def end_of_all(self) -> Phase:
        """Go on, resuming where a person is waited for, until nothing moves any more."""
        self.refused_percent = 0
        for _ in range(50):
            done = self.play(
                lambda done: (
                    done.at_rest
                    or (
                        done.decision.status.phase is Phase.PAUSED
                        and not done.sent
                        and done.decision.wake_at is None
                    )
                )
            )
            if done.at_rest:
                return done.decision.status.phase
            self.give(CommandVerb.RESUME)
        raise AssertionError(f"no end: {self.status}")

    def nothing_moves(self) -> None:
        """Hold a release at rest to its silence, also after hours."""
        before, count = self.status, len(self.sent)
        for _ in range(5):
            self.quiet()
            self.round()
            self.now += 3_600_000
        assert self.sent[count:] == []
        assert self.status == before


def _narrows_to(write: Write) -> str | None:
    if write.target.kind != "Service":
        return None
    selector = write.body["spec"]["selector"]
    found: str | None = selector.get(HASH_LABEL)
    return found


@st.composite
def steps_of(draw: st.DrawFn, mode: Mode) -> tuple[Step, ...]:
    most = 100 if mode is Mode.CONSTANT else 50
    weights = sorted(draw(st.lists(st.integers(0, most), max_size=3)))
    if draw(st.booleans()):
        weights.append(100)
    steps: list[Step] = []
    for weight in weights:
        steps.append(SetWeight(weight * 100))
        pause = draw(st.sampled_from((None, Pause(), Pause(30_000))))
        if pause is not None:
            steps.append(pause)
    return tuple(steps)


@st.composite
def crowds(draw: st.DrawFn) -> Crowd:
    mode = draw(st.sampled_from(Mode))
    surge = draw(st.booleans())
    n = draw(st.integers(1, 5))
    if mode is Mode.CONSTANT and n == 1:
        surge = True
    promotion = draw(st.sampled_from(Promotion))
    rolling: dict[str, Any] = {"maxSurge": 1, "maxUnavailable": 0}
    if not surge:
        rolling = {"maxSurge": 0, "maxUnavailable": 1}
    world = Crowd(
        draw(st.integers(0, 10_000)),
        replicas=n,
        strategy={"type": "RollingUpdate", "rollingUpdate": rolling},
        spec=a_spec(
            mode=mode,
            steps=draw(steps_of(mode)),
            promotion=promotion,
            allow_coarse=True,
            settle_ms=draw(st.sampled_from((0, 2_000))),
            undo_window_ms=draw(st.sampled_from((0, 60_000))),
        ),
    )
    world.spare_count = 0 if surge else 1
    world.play()
    world.watching = True
    return world


@WALK
@given(crowds(), st.integers(0, 400), st.integers(0, 30))
def test_a_release_ends_healthy_whatever_the_order_of_things(
    world: Crowd, step_count: int, refused_percent: int
) -> None:
    world.refused_percent = refused_percent
    world.set_image(NEW)
    world.stumble(step_count)
    assert world.end_of_all() is Phase.HEALTHY
    assert world.ready() == {NEW: world.replica_count}
    _is_clean(world)


verbs = st.sampled_from(sorted(CommandVerb, key=lambda verb: verb.value))


@WALK
@given(crowds(), st.lists(st.tuples(st.integers(0, 60), verbs, st.integers(0, 50)), max_size=6))
def test_commands_at_any_moment_lead_to_an_end(
    world: Crowd, commands: list[tuple[int, CommandVerb, int]]
) -> None:
    # Who aborts takes what is available at once: three quarters of N are enough.
    world.spare_count = max(world.spare_count, world.replica_count // 4)
    world.set_image(NEW)
    for step_count, verb, percent in commands:
        world.stumble(step_count)
        weight_bp = percent * 100 if verb is CommandVerb.SET_WEIGHT else None
        full = verb is CommandVerb.PROMOTE and percent % 2 == 0
        world.give(verb, weight_bp=weight_bp, full=full)
    phase = world.end_of_all()
    assert phase in (Phase.HEALTHY, Phase.ABORTED)
    # Undo after a promotion is a release of the old template, which may be aborted in its turn.
    other = NEW if _image(world) == OLD else OLD
    expected = other if phase is Phase.ABORTED else _image(world)
    assert world.ready() == {expected: world.replica_count}
    _is_clean(world)


def _reach_of_healthy(world: Crowd) -> Reach:
    release = world.stored.release
    seen = observe(release, finished(world.read(release.spec))).observation
    return reach(seen, release.outlook, Phase.HEALTHY, generation=release.generation)


@WALK
@given(crowds(), st.lists(st.tuples(st.integers(0, 60), verbs), max_size=6), st.integers(0, 200))
def test_who_waits_hears_of_an_end_when_it_is_there_and_of_none_that_still_comes(
    world: Crowd, commands: list[tuple[int, CommandVerb]], step_count: int
) -> None:
    world.spare_count = max(world.spare_count, world.replica_count // 4)
    world.set_image(NEW)
    steps = [step for count, verb in commands for step in (*(count * [None]), verb)]
    hopeless = False
    for verb in (*steps, *(step_count * [None])):
        if verb is None:
            world.stumble(1)
        else:
            world.give(verb, full=verb is CommandVerb.PROMOTE)
        found = _reach_of_healthy(world)
        hopeless = found is Reach.OUT_OF_REACH or (hopeless and verb is None)
        if found is Reach.THERE:
            ready = world.ready()
            # After a rolling update the canary's pods may still wait for the garbage collector.
            assert (set(ready), sum(ready.values()) >= world.replica_count) == (
                {_image(world)},
                True,
            )
    phase = world.end_of_all()
    assert not (hopeless and phase is Phase.HEALTHY)
    assert (_reach_of_healthy(world) is Reach.THERE) == (phase is Phase.HEALTHY)


def _image(world: Crowd) -> str:
    return image_of(world.get(DEPLOYMENTS, "shop"))


def _is_clean(world: Crowd) -> None:
    """Nothing of ours is left, and nothing moves any more."""
    assert world.canary is None
    assert HASH_LABEL not in world.selector()
    n = world.get(DEPLOYMENTS, "shop")["spec"]["replicas"]
    assert len(world.selected()) == n
    assert world.get(DEPLOYMENTS, "shop")["spec"].get("paused") is True
    world.nothing_moves()


@WALK
@given(crowds(), st.integers(0, 200))
def test_a_template_that_does_not_run_is_aborted_and_no_user_notices(
    world: Crowd, step_count: int
) -> None:
    world.broken.add(NEW)
    # Without surge the first canary pod takes the place of a stable one, and is not ready.
    world.set_image(NEW)
    world.stumble(step_count)
    assert world.end_of_all() is Phase.ABORTED
    assert world.ready() == {OLD: world.replica_count}
    _is_clean(world)


people = st.sampled_from(
    (
        "scale",
        "newer",
        "old",
        "new",
        "restart",
        "command",
        "kill",
        "kill old",
        "delete canary",
        "scale canary",
        "unpause",
        "recreate service",
        "recreate deployment",
        "set the clock back",
        "restart controllers",
    )
)


@settings(WALK, max_examples=150)
@given(
    crowds(),
    st.lists(st.tuples(st.integers(0, 60), people, st.integers(0, 5), verbs), max_size=6),
)
def test_whatever_people_do_a_release_comes_to_rest(
    world: Crowd, events: list[tuple[int, str, int, CommandVerb]]
) -> None:
    world.watching = False
    world.set_image(NEW)
    for step_count, what, number, verb in events:
        world.stumble(step_count)
        _do(world, what, number, verb)
    phase = world.end_of_all()
    n = world.get(DEPLOYMENTS, "shop")["spec"]["replicas"]
    if phase is Phase.DEGRADED:
        # One pod without surge cannot be shared out: a person asked for that.
        assert (n, world.stored.release.spec.mode) == (1, Mode.CONSTANT)
        return
    assert sum(world.ready().values()) == n
    assert len(world.ready()) == (1 if n else 0)
    if phase is Phase.HEALTHY and n:
        assert world.ready() == {_image(world): n}
    _is_clean(world)


def _do(world: Crowd, what: str, number: int, verb: CommandVerb) -> None:
    match what:
        case "scale":
            world.change(DEPLOYMENTS, "shop", replicas=number)
        case "newer" | "old" | "new":
            world.set_image({"newer": NEWER, "old": OLD, "new": NEW}[what])
        case "restart":
            world.set_image(_image(world), **{RESTARTED_AT: f"2026-01-01T00:00:0{number}Z"})
        case "command":
            weight_bp = number * 1_000 if verb is CommandVerb.SET_WEIGHT else None
            world.give(verb, weight_bp=weight_bp)
        case "kill":
            running = [pod for pod in world.pods() if is_ready(pod)]
            if running:
                world.kill(running[number % len(running)])
        case "kill old":
            for pod in world.pods():
                if is_ready(pod) and image_of(pod) == OLD:
                    world.kill(pod)
        case _:
            _do_to_objects(world, what, number)


def _do_to_objects(world: Crowd, what: str, number: int) -> None:
    match what:
        case "delete canary" if world.canary is not None:
            world.delete_ours()
        case "scale canary" if world.canary is not None:
            world.change(DEPLOYMENTS, world.canary_name, replicas=number)
        case "unpause":
            world.change(DEPLOYMENTS, "shop", paused=None)
        case "recreate service":
            world.delete(SERVICES, "shop")
            world.stumble(number * 5)
            world.apply(a_service())
        case "recreate deployment":
            _recreate(world, number)
        case "set the clock back":
            world.now -= 5_000 * number
        case "restart controllers":
            world.controllers.close()
            world.controllers = Controllers(world.cluster)


def _recreate(world: Crowd, number: int) -> None:
    """Delete the Deployment in one of the three ways, and apply it again when it is gone."""
    image = _image(world)
    world.delete(DEPLOYMENTS, "shop", list(Propagation)[number % 3])
    world.stumble(number * 10)
    world.quiet()
    world.apply(a_deployment(image=image, replicas=max(1, number)))
