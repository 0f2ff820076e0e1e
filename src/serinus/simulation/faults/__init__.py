"""What can go wrong, and what people do at the wrong moment: a closed list, each one draw."""

from __future__ import annotations

from serinus.simulation.faults.fault import Fault
from serinus.simulation.faults.known import ALL, that_apply
from serinus.simulation.faults.machines import MACHINES
from serinus.simulation.faults.owners import OWNERS
from serinus.simulation.faults.people import PEOPLE

__all__ = ["ALL", "MACHINES", "OWNERS", "PEOPLE", "Fault", "that_apply"]
