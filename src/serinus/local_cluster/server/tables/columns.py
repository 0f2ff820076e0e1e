"""What a column is, and the texts that many columns share.

Names, types and priorities follow pkg/printers/internalversion/printers.go of Kubernetes 1.36;
ages follow k8s.io/apimachinery/pkg/util/duration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from serinus.clock import Instant
from serinus.kubernetes_model import Object, timestamps

Cell: TypeAlias = str | int | float | bool | None

NONE = "<none>"
UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_YEAR = 365 * _DAY


class Column(msgspec.Struct, frozen=True):
    """One column: its head, and how a cell is made of an object at an instant."""

    name: str
    cell: Callable[[Object, Instant], Cell]
    description: str = ""
    type: str = "string"
    format: str = ""
    priority: int = 0
    """1: shown by `-o wide` only."""

    def definition(self) -> dict[str, Any]:
        """Return the head as a `TableColumnDefinition`."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def name(item: Object, _now: Instant) -> str:
    """Return the object's name."""
    return str(item["metadata"].get("name", ""))


def age(item: Object, now: Instant) -> str:
    """Return how long ago the object was made."""
    return since(item["metadata"].get("creationTimestamp"), now)


def since(timestamp: str | None, now: Instant) -> str:
    """Return how long ago an instant was."""
    if not timestamp:
        return UNKNOWN
    return duration((now - timestamps.parse(timestamp)) // 1000)


def duration(seconds: int) -> str:
    """Return a length of time in at most two units, coarser as it grows."""
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds // _MINUTE, "m", seconds % _MINUTE, "s")
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds // _HOUR, "h", seconds // _MINUTE % 60, "m")
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds // _DAY, "d", seconds // _HOUR % 24, "h")
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY}d"
    if seconds < 8 * _YEAR:
        return _two(seconds // _YEAR, "y", seconds // _DAY % 365, "d")
    return f"{seconds // _YEAR}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


NAME = Column("Name", name, "Name must be unique within a namespace.", format="name")
AGE = Column("Age", age, "How long ago the object was created.")
CREATED_AT = Column(
    "Created At",
    lambda item, _now: item["metadata"].get("creationTimestamp"),
    "When the object was created.",
    type="date",
)


def at(*path: str, default: Cell = None) -> Callable[[Object, Instant], Cell]:
    """Return a cell that holds the scalar at a path."""

    def cell(item: Object, _now: Instant) -> Cell:
        value: Any = item
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return default if value is None else value

    return cell


def labels(pairs: Mapping[str, str] | None) -> str:
    """Return labels as `a=b,c=d`, sorted."""
    return ",".join(f"{key}={pairs[key]}" for key in sorted(pairs)) if pairs else NONE


def label_selector(selector: Mapping[str, Any] | None) -> str:
    """Return a label selector as a person would type it (`metav1.FormatLabelSelector`)."""
    if not selector:
        return NONE
    pairs = selector.get("matchLabels") or {}
    terms = {key: f"{key}={value}" for key, value in pairs.items()}
    parts = [terms[key] for key in sorted(terms)]
    for rule in selector.get("matchExpressions") or ():
        key, operator = rule["key"], rule["operator"]
        values = ",".join(sorted(rule.get("values") or ()))
        text = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append(text.get(operator, f"{key} {operator} ({values})"))
    return ",".join(parts) if parts else NONE


def first_few(items: Sequence[str], count_max: int) -> str:
    """Return the first items, and how many more there are."""
    if not items:
        return "<unset>"
    shown = ",".join(items[:count_max])
    hidden = len(items) - count_max
    return f"{shown} + {hidden} more..." if hidden > 0 else shown
