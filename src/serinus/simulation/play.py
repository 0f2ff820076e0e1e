"""Play one schedule by its seed or by what was drawn, and say what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from serinus.release.model import Phase
from serinus.release.observation import HoldBy
from serinus.simulation import ending, faults
from serinus.simulation.choices import Choices, Replay, Seeded
from serinus.simulation.driver import Driver
from serinus.simulation.example import NEW, Example, draw
from serinus.simulation.faults import Fault
from serinus.simulation.simulation import Simulation
from serinus.simulation.watch import Trouble
from serinus.simulation.world import World

FAULT_COUNTS = (0, 1, 1, 2, 2, 3, 4, 6)
RATES = (10, 30, 100)
TURN_COUNT_MAX = 150
_STARTS: dict[tuple[int, bool, HoldBy], World] = {}


class Outcome(msgspec.Struct, frozen=True):
    """What came of one schedule; `violation` is empty when nothing was wrong."""

    phase: Phase | None
    turn_count: int
    happened: tuple[str, ...]
    violation: str = ""


def at_rest(example: Example) -> World:
    """Return a world in which the example's Deployment runs, held, and nothing else has begun."""
    key = (example.replica_count, example.surge, example.hold_by)
    if key not in _STARTS:
        sim = Simulation(World(example), Replay())
        # Before its first pods are ready nobody expects any.
        sim.watch.trouble = Trouble.OTHERS
        sim.settle()
        sim.driver.cache.close()
        _STARTS[key] = sim.world
    world = _STARTS[key].copy()
    world.example = example
    world.store(msgspec.structs.replace(world.stored.release, spec=example.spec))
    return world


def forget_starts() -> None:
    """Make the worlds at rest anew: the code that brought them there has changed."""
    _STARTS.clear()


def seeded(seed: int) -> Outcome:
    """Play the random schedule of a seed."""
    # What is drawn first says how much is drawn later: how many faults, how often, which kinds.
    first = Seeded(seed, faults_max=0, rate=1)
    count = FAULT_COUNTS[first.below(len(FAULT_COUNTS))]
    rate = RATES[first.below(len(RATES))]
    among = (faults.ALL, faults.MACHINES, faults.ALL)[first.below(3)]
    choices = Seeded(seed, faults_max=count, rate=rate)
    return play(draw(choices), choices, among=among, shuffled=choices.below(4) > 0)


def play(
    example: Example,
    choices: Choices,
    *,
    among: Sequence[Fault] = faults.ALL,
    shuffled: bool = False,
) -> Outcome:
    """Play a schedule to its end, and hold it to all that must be true."""
    sim = Simulation(at_rest(example), choices, among=among, shuffled=shuffled)
    violation = ""
    try:
        _play(sim)
    except Exception as error:  # noqa: BLE001 - whatever the rounds raise is a finding
        violation = f"{type(error).__name__}: {error}"
    phase = sim.world.status.phase
    return Outcome(phase, sim.turn_count, tuple(sim.happened), violation)


def _play(sim: Simulation) -> None:
    sim.world.set_image(NEW)
    if sim.shuffled and sim.choices.below(3) == 0:
        sim.second = Driver(sim.world)
    for _ in range(TURN_COUNT_MAX):
        sim.turn()
        if sim.at_rest():
            break
    sim.settle()
    ending.check(sim)
