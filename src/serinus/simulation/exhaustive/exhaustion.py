"""All schedules of an example with at most so many faults, each told to its end.

A turn is played once for each list of faults that can happen in it; moments that are alike are
gone on from once. So the schedules are counted, not played one by one, and none is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from serinus.simulation import ending, faults, play
from serinus.simulation.choices import Exhaustive, Replay
from serinus.simulation.example import NEW, Example
from serinus.simulation.exhaustive import likeness
from serinus.simulation.faults import Fault
from serinus.simulation.simulation import END_MS_MAX, Simulation
from serinus.simulation.watch import Violation

END = 0
"""The key of the end that every schedule must come to."""


class Finding(msgspec.Struct, frozen=True):
    """A schedule that went wrong: what was drawn, to replay it."""

    example: str
    drawn: tuple[int, ...]
    happened: tuple[str, ...]
    violation: str


class Exhausted(msgspec.Struct, frozen=True):
    """What came of all schedules of one example."""

    example: str
    faults_max: int
    schedule_count: int
    """Schedules covered, from none to `faults_max` faults."""
    turn_count: int
    """Turns played for that."""
    moment_count: int
    findings: tuple[Finding, ...]
    is_complete: bool
    """False: time ran out before all were told."""


class _Way(msgspec.Struct, frozen=True):
    """How a moment was come to."""

    drawn: tuple[int, ...] = ()
    happened: tuple[str, ...] = ()


class _Node(msgspec.Struct, frozen=True):
    """A moment from which to go on."""

    sim: Simulation
    key: int
    faults_left: int
    way: _Way


class Exhaustion:
    """Walk through the moments of one example."""

    def __init__(self, example: Example, *, faults_max: int, among: Sequence[Fault]) -> None:
        self.example = example
        self._faults_max = faults_max
        self._findings: list[Finding] = []
        self.happened: set[str] = set()
        """All that happened, each with its turn."""
        self._turn_count = 0
        self._explored: dict[int, int] = {}
        """Key of a moment -> with how many faults left it was gone on from."""
        self._next: dict[int, list[tuple[int, int]]] = {}
        """Key of a moment -> (faults used, key of the next) for each turn played from it."""
        sim = Simulation(play.at_rest(example), Replay(), among=among)
        sim.world.set_image(NEW)
        self._start = likeness.key(sim)
        self._open = [_Node(sim, self._start, faults_max, _Way())]
        self._samples: dict[int, _Way] = {}
        self._deadline = sim.world.now + END_MS_MAX

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what went wrong so far."""
        return tuple(self._findings)

    def run(self, goes_on: Callable[[], bool]) -> Exhausted:
        """Tell all schedules, for as long as `goes_on` says so."""
        while self._open and goes_on():
            self._turns(self._open.pop())
        is_complete = not self._open
        if is_complete:
            self._find_circles()
        return Exhausted(
            example=self.example.name,
            faults_max=self._faults_max,
            schedule_count=self._count() if is_complete else 0,
            turn_count=self._turn_count,
            moment_count=len(self._explored),
            findings=tuple(self._findings),
            is_complete=is_complete,
        )

    def _turns(self, node: _Node) -> None:
        """Play the next turn with each list of faults that there is."""
        if self._explored.get(node.key, -1) >= node.faults_left:
            return
        self._explored[node.key] = node.faults_left
        self._samples[node.key] = node.way
        nexts: list[tuple[int, int]] = []
        self._next[node.key] = nexts
        choices = Exhaustive(node.faults_left)
        while choices.begin():
            sim = node.sim.copy(choices)
            self._turn_count += 1
            error: Exception | None = None
            try:
                sim.turn()
                key = self._key_of(sim)
            except Exception as raised:  # noqa: BLE001 - whatever the rounds raise is a finding
                key, error = END, raised
            self.happened.update(sim.happened)
            way = _Way((*node.way.drawn, *choices.drawn), tuple(sim.happened))
            if error is not None:
                self._find(way, error)
            nexts.append((choices.faults, key))
            left = node.faults_left - choices.faults
            if key != END and self._explored.get(key, -1) < left:
                self._open.append(_Node(sim, key, left, way))

    def _key_of(self, sim: Simulation) -> int:
        if sim.at_rest():
            ending.check(sim)
            return END
        if sim.world.now > self._deadline:
            raise Violation(f"it does not come to rest: {sim.world.status}")
        return likeness.key(sim)

    def _find(self, way: _Way, error: Exception) -> None:
        violation = f"{type(error).__name__}: {error}"
        self._findings.append(Finding(self.example.name, way.drawn, way.happened, violation))

    def _find_circles(self) -> None:
        """Look for moments that come again though no fault happens any more."""
        ends = {END}
        for start in self._next:
            way: dict[int, None] = {}
            key = start
            while key not in ends and key not in way:
                way[key] = None
                key = next(following for used, following in self._next[key] if not used)
            if key not in ends:
                self._find_circle(key)
            ends.update(way)

    def _find_circle(self, key: int) -> None:
        error = Violation("the same moment comes again and again: it never ends")
        self._find(self._samples[key], error)

    def _count(self) -> int:
        """Return how many schedules there are; the ways through the moments are counted."""
        counts: dict[tuple[int, int], int] = {(END, 0): 1}
        for fault_count in range(self._faults_max + 1):
            for key in self._from_the_end():
                counts[key, fault_count] = sum(
                    counts.get((following, fault_count - used), 0)
                    for used, following in self._next[key]
                )
        return sum(counts.get((self._start, n), 0) for n in range(self._faults_max + 1))

    def _from_the_end(self) -> list[int]:
        """Return all moments, each behind the one that follows it without a fault."""
        ordered: dict[int, None] = {}
        for start in self._next:
            way: dict[int, None] = {}
            key = start
            while key != END and key not in ordered and key not in way:
                way[key] = None
                key = next(following for used, following in self._next[key] if not used)
            ordered.update(dict.fromkeys(reversed(way)))
        return list(ordered)


def all_schedules(
    example: Example,
    *,
    faults_max: int,
    among: Sequence[Fault] = faults.ALL,
    seconds: float | None = None,
) -> Exhausted:
    """Tell all schedules of an example, or as many as there is time for."""
    end = None if seconds is None else time.monotonic() + seconds
    exhaustion = Exhaustion(example, faults_max=faults_max, among=among)
    return exhaustion.run(lambda: end is None or time.monotonic() < end)
