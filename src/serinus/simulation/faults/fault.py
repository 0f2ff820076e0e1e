"""One thing that can go wrong, and how much of it is beyond our power."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from serinus.simulation.watch import Trouble

if TYPE_CHECKING:
    from serinus.simulation.simulation import Simulation


class Fault(msgspec.Struct, frozen=True):
    """One thing that may happen between two steps."""

    name: str
    happen: Callable[[Simulation], object]
    applies: Callable[[Simulation], bool] = lambda _: True
    trouble: Trouble = Trouble.NONE
    blinds: bool = False
