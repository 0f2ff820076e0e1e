"""The part of a status that is shown and not remembered: conditions, and the share in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.api import text
from serinus.clock import Instant
from serinus.errors import InvalidInput
from serinus.kube import timestamps
from serinus.release import conditions
from serinus.release.conditions import Condition, Outlook
from serinus.release.model import Phase

FIELDS = ("conditions", "observedGeneration", "inForceWeight")


def encode(outlook: Outlook) -> dict[str, Any]:
    """Return what people and tools read; nothing where it was never written."""
    if outlook == Outlook():
        return {}
    return {
        "observedGeneration": outlook.generation,
        "inForceWeight": text.percent_of(outlook.in_force_weight_bp),
        "conditions": [
            {
                "type": c.type,
                "status": "True" if c.status else "False",
                "reason": c.reason,
                "message": c.message,
                "observedGeneration": c.generation,
                "lastTransitionTime": timestamps.format_seconds(c.since_ms),
            }
            for c in outlook.conditions
        ],
    }


def with_trouble(
    status: Mapping[str, Any], reason: str, message: str, now: Instant
) -> dict[str, Any] | None:
    """Return a status with what keeps its release from going on; None where it says so already.

    Everything else stays as it is, whoever can read it: the phase says what to do next. Only a
    status that has none yet gets one, so that tables show that something is wrong.
    """
    _, before = split(status)
    after = conditions.with_trouble(before, reason, message, now)
    if after == before:
        return None
    first = {"phase": Phase.DEGRADED.value, "message": message} if "phase" not in status else {}
    return {**status, **first, **encode(after)}


def split(found: Mapping[str, Any]) -> tuple[dict[str, Any], Outlook]:
    """Part what must be remembered from what is only shown; that is made anew when it is broken."""
    rest = {k: v for k, v in found.items() if k not in FIELDS}
    try:
        said = tuple(
            Condition(
                type=c["type"],
                status=c["status"] == "True",
                reason=c["reason"],
                message=c.get("message", ""),
                generation=int(c.get("observedGeneration", 0)),
                since_ms=timestamps.parse(c["lastTransitionTime"]),
            )
            for c in found.get("conditions") or ()
        )
        outlook = Outlook(
            generation=int(found.get("observedGeneration", 0)),
            in_force_weight_bp=text.parse_weight(repr(found.get("inForceWeight", 0))),
            conditions=said,
        )
    except (InvalidInput, KeyError, TypeError, ValueError):
        return rest, Outlook()
    return rest, outlook
