"""All faults that there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from serinus.simulation.faults.fault import Fault
from serinus.simulation.faults.machines import MACHINES
from serinus.simulation.faults.owners import OWNERS
from serinus.simulation.faults.people import PEOPLE

if TYPE_CHECKING:
    from serinus.simulation.simulation import Simulation

ALL = (*MACHINES, *PEOPLE, *OWNERS)


def that_apply(sim: Simulation, among: tuple[Fault, ...]) -> Iterator[Fault]:
    """Yield the faults that would change anything now; with the release ours are over."""
    if sim.world.is_forgotten:
        return iter(())
    return (fault for fault in among if fault.applies(sim))
