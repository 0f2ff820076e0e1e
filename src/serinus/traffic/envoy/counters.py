"""Envoy's statistics as what each version was asked and how often it failed.

What a retry hides from the user is not in the canary's own counters of answers: it is in those of
the group that asks the canary first, and it counts here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.assignment.intervals import Version
from serinus.traffic.envoy import names

PATTERN = (
    r"^cluster\.[^.]+\.(upstream_rq_(completed|5xx|retry_success|total)|"
    r"upstream_cx_connect_fail)$"
)
"""The names that `counts` reads, for the filter of Envoy's admin."""


class Counts(msgspec.Struct, frozen=True):
    """Since the router started.

    Attributes:
        request_count: of users, sent to this version first.
        failure_count: of those, what it did not answer, or answered with 5xx.
        hidden_count: of the failures, those that the user did not see.
    """

    request_count: int
    failure_count: int
    hidden_count: int


def counts(stats: Mapping[str, Any], port: str) -> dict[Version, Counts]:
    """Return the counts of both versions on a port."""

    def of(cluster: str, name: str) -> int:
        found = stats.get(f"cluster.{cluster}.{name}", 0)
        return found if isinstance(found, int) else 0

    group, stable = names.canary_group(port), names.cluster(port, Version.STABLE)
    hidden_count = of(group, "upstream_rq_retry_success")
    return {
        Version.CANARY: Counts(
            of(group, "upstream_rq_completed"),
            of(group, "upstream_rq_5xx") + hidden_count,
            hidden_count,
        ),
        Version.STABLE: Counts(
            of(stable, "upstream_rq_completed"), of(stable, "upstream_rq_5xx"), 0
        ),
    }
