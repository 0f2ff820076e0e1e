"""One schedule: drivers, world and faults, one turn after another, to the end and beyond.

Orderly, the cluster does all it can between two rounds and a round is interrupted by faults only.
Shuffled, each move of the cluster and each await of a driver comes in a drawn order.
"""

from __future__ import annotations

import copy
import enum
from collections.abc import Sequence
from typing import Any

from serinus.kubernetes_model.kinds import DEPLOYMENTS
from serinus.release.decision import Reason
from serinus.release.model import CommandVerb
from serinus.simulation import faults
from serinus.simulation.choices import Choices, Replay
from serinus.simulation.driver import Answer, Driver
from serinus.simulation.example import NEW, OLD
from serinus.simulation.faults import Fault
from serinus.simulation.watch import Violation, Watch
from serinus.simulation.world import World

TURN_COUNT_MAX = 600
END_MS_MAX = 6 * 3_600_000
LEAD_TURN_COUNT = 8
MOVE_COUNT_MAX = 6
TICKS_MS = (1, 500, 2_000, 10_000)


class AtPoint(enum.Enum):
    """What may happen while a driver waits for an answer."""

    CONFLICT = "the write is refused"
    UNAVAILABLE = "the API server is away"
    LOST_REPLY = "the write is done and its reply is lost"
    CRASH = "the driver crashes"
    OTHER_ROUND = "another leader plays a round"
    OTHER_LEADS = "another leader goes on for a while"


_WRITING = tuple(AtPoint)
AT_POINTS: dict[str, tuple[AtPoint, ...]] = {
    "read": (AtPoint.UNAVAILABLE, AtPoint.OTHER_ROUND),
    "current": (AtPoint.UNAVAILABLE, AtPoint.OTHER_ROUND),
    "save": _WRITING,
    "saved": (AtPoint.CRASH,),
    "send": _WRITING,
    "sent": (AtPoint.CRASH,),
    "forget": _WRITING,
    "forgotten": (AtPoint.CRASH,),
}
_OTHERS = (AtPoint.OTHER_ROUND, AtPoint.OTHER_LEADS)
_ANSWERS = {
    AtPoint.CONFLICT: Answer.CONFLICT,
    AtPoint.UNAVAILABLE: Answer.UNAVAILABLE,
    AtPoint.LOST_REPLY: Answer.LOST_REPLY,
}


class Simulation:
    """A release under faults."""

    world: World
    driver: Driver

    def __init__(
        self,
        world: World,
        choices: Choices,
        *,
        among: Sequence[Fault] = faults.ALL,
        shuffled: bool = False,
    ) -> None:
        self.world = world
        self.choices = choices
        self.among = tuple(among)
        self.shuffled = shuffled
        self.driver = Driver(world)
        self.second: Driver | None = None
        """Another leader, who drives the same release at the same time."""
        self.watch = Watch(world)
        self.comes_again: dict[str, Any] | None = None
        """The Deployment that its owner creates when the one before is gone."""
        self.happened: list[str] = []
        self.turn_count = 0
        self.answer_count = 0

    def copy(self, choices: Choices) -> Simulation:
        """Return the same schedule, between two rounds, that goes its own way from now on."""
        other = copy.copy(self)
        other.choices = choices
        other.world = self.world.copy()
        other.watch = self.watch.copy(other.world)
        other.driver = self.driver.copy(other.world)
        other.happened = list(self.happened)
        return other

    # One turn.

    def turn(self) -> None:
        """Play a round of whoever is due, or let time pass to when somebody is."""
        self.turn_count += 1
        self._world_fault()
        if self._leaves_unseen():
            self._one_leads()
        self._cluster_acts()
        driver = self._due()
        if driver is None:
            self._pass_time()
        else:
            self._play(driver)

    def _world_fault(self) -> None:
        found = [] if self.choices.is_quiet else list(faults.that_apply(self, self.among))
        drawn = self.choices.fault(len(found))
        if drawn:
            self.strike(found[drawn - 1])

    def strike(self, fault: Fault) -> None:
        """Let one fault happen."""
        self.happened.append(f"turn {self.turn_count}: {fault.name}")
        self.watch.fault_count += 1
        self.watch.trouble = max(self.watch.trouble, fault.trouble)
        self.watch.blind = self.watch.blind or fault.blinds
        fault.happen(self)

    def _leaves_unseen(self) -> bool:
        """Tell whether a deleted release is taken away behind a watch that lags.

        Then one leads: what two wrote in that very moment, nobody would be there to put back.
        """
        return self.world.stored.release.leaving and self.driver.cache.lags()

    def _one_leads(self) -> None:
        if self.second is not None:
            self.second.crash()
            self.second.cache.close()
            self.second = None

    def _cluster_acts(self) -> None:
        if self.comes_again is not None and self.world.find(DEPLOYMENTS) is None:
            self.world.create(DEPLOYMENTS, self.comes_again)
            self.comes_again = None
        if self.shuffled:
            self._some_moves()
        else:
            self.world.rest()

    def _some_moves(self) -> None:
        for _ in range(self.choices.below(MOVE_COUNT_MAX)):
            moves = self.world.moves()
            if not moves:
                return
            moves[self.choices.below(len(moves))]()

    def _due(self) -> Driver | None:
        second = self.second
        goes_first = second is not None and self.choices.below(2) == 1
        if second is not None and goes_first and second.round is None and second.is_due():
            return second
        return self.driver if self.driver.is_due() else None

    def _pass_time(self) -> None:
        """Jump to when something is due; a person who is waited for comes first."""
        if self.shuffled and self.world.moves():
            self.world.now += TICKS_MS[self.choices.below(len(TICKS_MS))]
        elif self.is_stuck():
            self.happened.append(f"turn {self.turn_count}: (set the old template)")
            self.world.set_image(OLD)
        elif self._waits_for(Reason.WAITING_FOR_PERSON):
            self._answer()
        else:
            due = [self.driver.next_due(), self.world.next_due()]
            # Where nothing is due all waits for an object that is on its way out.
            soonest = min((t for t in due if t is not None), default=self.world.now)
            self.world.now = max(self.world.now, soonest)
        self.watch.time_passed()

    def _answer(self) -> None:
        """Do what a person does whom the release waits for."""
        example = self.world.example
        index, self.answer_count = self.answer_count, self.answer_count + 1
        if example.leaves and index == len(example.answers):
            self.happened.append(f"turn {self.turn_count}: (delete the release)")
            self.world.delete_release()
            return
        verb = example.answers[index] if index < len(example.answers) else CommandVerb.RESUME
        self.happened.append(f"turn {self.turn_count}: ({verb.value})")
        self.world.give(verb)

    def _waits_for(self, reason: Reason) -> bool:
        """Tell whether the last round was one that waits for nothing but this."""
        last = self.driver.last
        waiting = None if last is None or self.driver.backs_off else last.decision.status.waiting
        return (
            waiting is not None
            and waiting.reason == reason.value
            and last is not None
            and last.decision.wake_at is None
            and self.world.next_due() is None
            and self.driver.cache.next_due() is None
        )

    def is_stuck(self) -> bool:
        """Tell whether all waits for pods of the template that never become ready."""
        return (
            self.world.example.broken
            and self.world.image() == NEW
            and any(
                self._waits_for(reason)
                for reason in (Reason.WAITING_FOR_ROLLOUT, Reason.STABLE_NOT_READY)
            )
        )

    @property
    def mid_scaling(self) -> bool:
        """Tell whether we hold stable at another count than its owner's."""
        return self.world.status.full_replica_count is not None

    # One round.

    def _play(self, driver: Driver) -> None:
        before = driver.last
        driver.begin()
        while driver.round is not None:
            self._step(driver)
        if driver.last is not None and driver.last is not before:
            self.watch.round(driver.last, driver.began_ms)

    def _step(self, driver: Driver) -> None:
        """Answer a driver's await, or let it crash there."""
        if driver.round is None or driver.round.point is None:
            return
        point = driver.round.point
        options = AT_POINTS[point.name]
        if self._leaves_unseen():
            options = tuple(o for o in options if o not in _OTHERS)
        drawn = self.choices.fault(len(options))
        at_point = options[drawn - 1] if drawn else None
        if at_point is not None:
            self.happened.append(f"turn {self.turn_count}, {point.name}: {at_point.value}")
            self.watch.fault_count += 1
        if at_point is AtPoint.CRASH:
            driver.crash()
            return
        if at_point in _OTHERS:
            self._other(1 if at_point is AtPoint.OTHER_ROUND else LEAD_TURN_COUNT)
        if self.shuffled:
            self._in_between(driver)
        if point.name == "send":
            self.watch.write(point.what, driver.read_count)
        driver.go_on(_ANSWERS.get(at_point, Answer.WORKS) if at_point else Answer.WORKS)

    def _in_between(self, driver: Driver) -> None:
        """Let the world, and a second leader, go on while a driver waits."""
        if self.choices.below(3) == 0:
            self._some_moves()
        if self.second is not None and driver is self.driver and self.choices.below(2):
            if self.second.round is None:
                self.second.begin()
            self._step(self.second)

    def _other(self, turn_count: int) -> None:
        """Let another leader drive for a while, with caches and a clock of its own."""
        other = Driver(self.world)
        for _ in range(turn_count):
            if other.is_due():
                other.begin()
                while other.round is not None and other.round.point is not None:
                    if other.round.point.name == "send":
                        self.watch.write(other.round.point.what, other.read_count)
                    other.go_on()
            if turn_count == 1:
                break
            self.world.rest()
            if not other.is_due():
                due = [t for t in (other.next_due(), self.world.next_due()) if t is not None]
                self.world.now = max(self.world.now, min(due, default=self.world.now))
        other.cache.close()

    # The end.

    def at_rest(self) -> bool:
        """Tell whether nothing is left to do for anybody."""
        last = self.driver.last
        return (
            (self.world.is_forgotten or (last is not None and last.at_rest))
            and not self.driver.backs_off
            and self.comes_again is None
            and not self.driver.is_due()
            and self.driver.cache.next_due() is None
            and self.world.next_due() is None
            and not self.world.moves()
        )

    def settle(self) -> None:
        """Let no more faults happen, and go on to the end: it must come, and soon."""
        self.choices, self.shuffled = Replay(), False
        self._one_leads()
        deadline = self.world.now + END_MS_MAX
        for _ in range(TURN_COUNT_MAX):
            if self.at_rest():
                return
            if self.world.now > deadline:
                break
            self.turn()
        raise Violation(f"it does not come to rest: {self.world.status}")
