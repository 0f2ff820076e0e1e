"""What is in force at one router: what it says of itself, in a file or in its plan's status."""

from __future__ import annotations

from typing import Any

import msgspec
import xxhash

from serinus.assignment.intervals import Version
from serinus.clock import Instant
from serinus.traffic.envoy.plan import Endpoints


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of one router to its plan.

    Attributes:
        generation: of the newest plan that it could read.
        in_force_generation: of the plan that it follows.
        weight_bp: the canary's share that is in force; 0 also while no pod of it is ready.
        endpoints: what `digest` makes of the pods that it sends to.
        problem: why the newest plan is not in force; empty when it is.
    """

    router: str
    generation: int
    in_force_generation: int
    weight_bp: int
    stable_endpoint_count: int
    canary_endpoint_count: int
    endpoints: str = ""
    ready: bool
    restart_count: int
    envoy_version: str
    changed_at_ms: Instant
    problem: str = ""

    @property
    def is_in_force(self) -> bool:
        """Tell whether the newest plan is what the router does."""
        return not self.problem and self.generation == self.in_force_generation

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {**msgspec.to_builtins(self), "inForce": self.is_in_force}


def endpoint_count(endpoints: Endpoints, version: Version) -> int:
    """Return how many places serve a version, over all ports."""
    return sum(len(found) for (_, of), found in endpoints.items() if of is version)


def digest(endpoints: Endpoints) -> str:
    """Return a text that is equal for equal endpoints, and else another."""
    listed = sorted(
        f"{port} {version.value} {each.host} {each.port}"
        for (port, version), found in endpoints.items()
        for each in found
    )
    return xxhash.xxh64_hexdigest("\n".join(listed).encode())
