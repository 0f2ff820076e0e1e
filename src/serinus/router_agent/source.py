"""Where plans come from, and where what is in force is told: a port with two sides."""

from __future__ import annotations

from typing import Protocol

import msgspec

from serinus.traffic.envoy.plan import Endpoints, RouterPlan
from serinus.traffic.envoy.report import Report


class Wanted(msgspec.Struct, frozen=True):
    """A plan with the pods behind it."""

    plan: RouterPlan
    endpoints: Endpoints
    generation: int = 0


class PlanSource(Protocol):
    """Tell the newest plan, and wake whoever waits for another."""

    def newest(self) -> Wanted:
        """Return the newest plan.

        Raises:
            InvalidInput: it cannot be read as one; the last good one stays in force.
        """
        ...

    async def changed(self, timeout_ms: int) -> bool:
        """Wait for a plan or endpoints that `newest` has not returned yet."""
        ...

    async def publish(self, report: Report) -> None:
        """Tell what is in force.

        Raises:
            ClusterError: nobody takes it; it is told again later.
        """
        ...

    async def withdraw(self) -> None:
        """Tell that this router is no more."""
        ...
