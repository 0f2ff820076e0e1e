"""Events in their two forms: core/v1 as kept, events.k8s.io/v1 as also served."""

from __future__ import annotations

from typing import Any

_NAMES = {
    "note": "message",
    "regarding": "involvedObject",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}
_REVERSED = {core: events for events, core in _NAMES.items()}


def to_core(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event of events.k8s.io in its core form."""
    renamed = {_NAMES.get(key, key): value for key, value in event.items()}
    renamed["apiVersion"] = "v1"
    return renamed


def from_core(event: dict[str, Any]) -> dict[str, Any]:
    """Return a core event in the form of events.k8s.io."""
    renamed = {
        _REVERSED.get(key, key): value
        for key, value in event.items()
        if value or not key.startswith("reporting")
    }
    renamed["apiVersion"] = "events.k8s.io/v1"
    return renamed
