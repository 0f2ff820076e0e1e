"""What machines do: users must not notice any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serinus.kubernetes_model.controllers import Controllers
from serinus.simulation.cache import PLURALS
from serinus.simulation.faults.fault import Fault

if TYPE_CHECKING:
    from serinus.simulation.simulation import Simulation

LAG_MS = 20_000
"""Longer than two drivers can overlap: who lost the Lease stops after four seconds."""
SLOW_MS = 15_000
CLOCK_MS = 60_000


def _lag(plural: str) -> Fault:
    return Fault(
        f"the watch of {plural} lags",
        lambda sim: sim.driver.cache.fall_behind(plural, sim.world.now + LAG_MS),
        lambda sim: not sim.driver.cache.lags(plural),
        blinds=True,
    )


def _all_lag(sim: Simulation) -> None:
    for plural in PLURALS:
        sim.driver.cache.fall_behind(plural, sim.world.now + LAG_MS)


def _skew(sim: Simulation, by_ms: int) -> None:
    sim.driver.skew_ms += by_ms


def _sleep(sim: Simulation) -> None:
    sim.world.asleep_until_ms = sim.world.now + SLOW_MS


def _slow(sim: Simulation) -> None:
    sim.world.slow_until_ms = sim.world.now + SLOW_MS


def _restart_controllers(sim: Simulation) -> None:
    sim.world.controllers.close()
    sim.world.controllers = Controllers(sim.world.cluster, events=False)


MACHINES = (
    *(_lag(plural) for plural in PLURALS if plural != "horizontalpodautoscalers"),
    Fault("all watches lag", _all_lag, blinds=True),
    Fault(
        "an event is missed",
        lambda sim: sim.driver.miss(),
        lambda sim: sim.driver.cache.has_news(),
    ),
    Fault("an event is repeated", lambda sim: sim.driver.wake()),
    Fault("the clock jumps ahead", lambda sim: _skew(sim, CLOCK_MS), blinds=True),
    Fault("the clock jumps back", lambda sim: _skew(sim, -CLOCK_MS), blinds=True),
    Fault("the controllers sleep", _sleep, lambda sim: sim.world.asleep_until_ms <= sim.world.now),
    Fault("the pods are slow", _slow, lambda sim: sim.world.slow_until_ms <= sim.world.now),
    Fault("the controllers restart", _restart_controllers),
)
