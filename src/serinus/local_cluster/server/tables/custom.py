"""Columns of custom resources, as their definition names them.

Kubernetes allows simple JSON paths there: fields, quoted fields, list indexes and a filter by one
equality (`.status.conditions[?(@.type=="Ready")].status`).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any

from serinus.clock import Instant
from serinus.kubernetes_model import Object
from serinus.local_cluster.server.tables.columns import AGE, NAME, Cell, Column, since

_STEP = re.compile(
    r"""\.?(?:
        (?P<field>[A-Za-z_$][\w\-$]*(?:\\\.[\w\-/]+)*)
      | \[(?P<index>-?\d+)\]
      | \[(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\]
      | \[\?\(@\.(?P<key>[\w.\-]+)\s*==\s*(?P<mark>['"]?)(?P<value>.*?)(?P=mark)\)\]
      | (?P<all>\[\*\]|\*)
    )""",
    re.VERBOSE,
)


@functools.lru_cache(maxsize=512)
def parse(path: str) -> tuple[re.Match[str], ...]:
    """Return the steps of a simple JSON path; none when it is not one."""
    steps = []
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None or step.end() == position:
            return ()
        steps.append(step)
        position = step.end()
    return tuple(steps)


def find(item: Any, path: str) -> Iterator[Any]:
    """Yield what a path leads to."""
    steps = parse(path)
    found = [item] if steps else []
    for step in steps:
        found = [below for value in found for below in _follow(value, step)]
    yield from found


def _follow(value: Any, step: re.Match[str]) -> Iterator[Any]:
    name = step["field"] or step["quoted"]
    if name is not None:
        name = name.replace("\\.", ".")
        if isinstance(value, dict) and name in value:
            yield value[name]
    elif step["index"] is not None:
        index = int(step["index"])
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]
    elif step["key"] is not None:
        for entry in value if isinstance(value, list) else ():
            if isinstance(entry, dict) and str(entry.get(step["key"])) == step["value"]:
                yield entry
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()


def columns(definition: Object, version: str) -> tuple[Column, ...]:
    """Return the columns that a CustomResourceDefinition gives one of its versions."""
    for served in definition["spec"].get("versions") or ():
        if served["name"] == version and served.get("additionalPrinterColumns"):
            return (NAME, *(_column(entry) for entry in served["additionalPrinterColumns"]))
    return (NAME, AGE)


def _column(entry: dict[str, Any]) -> Column:
    path, type_ = entry["jsonPath"], entry["type"]

    def cell(item: Object, now: Instant) -> Cell:
        value = next(find(item, path), None)
        return None if value is None else _cell_of(type_, value, now)

    return Column(
        entry["name"],
        cell,
        entry.get("description")
        or f"Custom resource definition column (in JSONPath format): {path}",
        type=type_,
        format=entry.get("format", ""),
        priority=entry.get("priority", 0),
    )


def _cell_of(type_: str, value: Any, now: Instant) -> Cell:
    if type_ == "date":
        try:
            return since(str(value), now)
        except ValueError:
            return "<invalid>"
    if type_ == "string":
        if isinstance(value, bool):
            return str(value).lower()
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if type_ == "boolean":
        return value if isinstance(value, bool) else None
    return value if is_number else None
