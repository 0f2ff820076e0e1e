"""Read a manifest against its type, as Go's JSON decoder does for the built-in kinds.

The result is a fresh tree: nulls and unknown fields are gone, what Go leaves out when it is zero is
left out, structs that Go always writes are there, quantities and times have their canonical form.
"""

from __future__ import annotations

import binascii
from typing import Any

from serinus.kubernetes_model import quantity, timestamps
from serinus.kubernetes_model.schema.nodes import (
    AnyNode,
    ListNode,
    MapNode,
    Node,
    ObjectNode,
    ScalarNode,
)

_INT32 = 1 << 31
_INT64 = 1 << 63


class Mismatch(Exception):  # noqa: N818  (a signal between two functions, never seen outside)
    """A value has the wrong type; `problem_in` finds out which."""


def read(node: ObjectNode, manifest: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the manifest as the server understands it, and the paths of unknown fields.

    Raises:
        ValueError: a value has the wrong type; the message is that of Go's decoder.
    """
    unknown: list[bool] = []
    try:
        result = _object(node, manifest, unknown)
    except Mismatch:
        raise ValueError(_problem(node, manifest, node.name, ())) from None
    return result, unknown_fields(node, manifest) if unknown else []


def empty(node: ObjectNode) -> dict[str, Any]:
    """Return a new struct as Go writes it: the structs in it are there, required lists are null."""
    result: dict[str, Any] = {}
    for key in node.always_present:
        child = node.properties[key]
        if isinstance(child, ObjectNode):
            result[key] = empty(child)
    result.update(node.when_absent)
    return result


def unknown_fields(node: Node, value: Any, path: str = "") -> list[str]:
    """Return the paths of all fields that the type does not have."""
    found: list[str] = []
    if isinstance(node, ObjectNode) and isinstance(value, dict):
        for key, item in value.items():
            child = node.properties.get(key)
            below = f"{path}.{key}" if path else key
            if child is None:
                if not node.preserves_unknown:
                    found.append(below)
            else:
                found += unknown_fields(child, item, below)
    elif isinstance(node, MapNode) and isinstance(value, dict):
        for key, item in value.items():
            found += unknown_fields(node.values, item, f"{path}.{key}")
    elif isinstance(node, ListNode) and isinstance(value, list):
        for index, item in enumerate(value):
            found += unknown_fields(node.items, item, f"{path}[{index}]")
    return found


def copy(value: Any) -> Any:
    """Return JSON of its own: the same without nulls in maps."""
    kind = type(value)
    if kind is dict:
        return {key: copy(item) for key, item in value.items() if item is not None}
    if kind is list:
        return [copy(item) for item in value]
    return value


def _object(node: ObjectNode, value: Any, unknown: list[bool]) -> dict[str, Any]:
    if type(value) is not dict:
        raise Mismatch
    result: dict[str, Any] = {}
    properties, omitted = node.properties, node.omitted_when_zero
    for key, item in value.items():
        child = properties.get(key)
        if child is None:
            unknown.append(True)
            continue
        if item is None:
            continue
        read_item = item
        if type(child) is ScalarNode:
            if child.type == "string" and not child.form:
                if type(item) is not str:
                    raise Mismatch
            else:
                read_item = _scalar(child, item)
        else:
            read_item = _any_node(child, item, unknown)
        if read_item or key not in omitted:
            result[key] = read_item
    _complete(node, result, unknown)
    return result


def _complete(node: ObjectNode, result: dict[str, Any], unknown: list[bool]) -> None:
    """Add what Go always writes."""
    for key, zero in node.when_absent.items():
        if result.get(key) is None or result[key] == []:
            result[key] = zero
    for key in node.always_present:
        child = node.properties[key]
        if key not in result and isinstance(child, ObjectNode):
            result[key] = _object(child, {}, unknown)


def _any_node(node: Node, value: Any, unknown: list[bool]) -> Any:
    if type(node) is ObjectNode:
        return _object(node, value, unknown)
    if type(node) is ListNode:
        if type(value) is not list:
            raise Mismatch
        items = node.items
        if type(items) is ObjectNode:
            return [_object(items, {} if item is None else item, unknown) for item in value]
        return [_any_node(items, item, unknown) for item in value]
    if type(node) is MapNode:
        if type(value) is not dict:
            raise Mismatch
        values = node.values
        if type(values) is ScalarNode and values.type == "string" and not values.form:
            if not all(type(item) is str for item in value.values()):
                return {key: _string_or_zero(item) for key, item in value.items()}
            return value.copy()
        return {key: _any_node(values, item, unknown) for key, item in value.items()}
    if type(node) is ScalarNode:
        return _scalar(node, value)
    return copy(value)


def _string_or_zero(value: Any) -> str:
    """Go reads a null in a map of strings as the empty string."""
    if value is None:
        return ""
    if type(value) is not str:
        raise Mismatch
    return value


def _scalar(node: ScalarNode, value: Any) -> Any:  # noqa: C901  (one decision table)
    kind, given = node.type, type(value)
    if kind == "string":
        if given is not str:
            raise Mismatch
        return _formatted(node.form, value) if node.form else value
    if kind == "integer":
        limit = _INT32 if node.form == "int32" else _INT64
        if given is not int or not -limit <= value < limit:
            raise Mismatch
    elif kind == "boolean":
        if given is not bool:
            raise Mismatch
    elif kind == "int-or-string":
        if given is not int and given is not str:
            raise Mismatch
    elif kind == "quantity":
        if given is bool or given not in {str, int, float}:
            raise Mismatch
        try:
            return quantity.canonical(value if given is str else str(value))
        except ValueError:
            raise Mismatch from None
    elif given is not int and given is not float:
        raise Mismatch
    return value


def _formatted(form: str, text: str) -> str:
    try:
        if form in {"date-time", "micro-time"}:
            return timestamps.canonical(text, micro=form == "micro-time")
        if form == "byte":
            binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise Mismatch from None
    return text


def _problem(node: Node, value: Any, struct: str, path: tuple[str, ...]) -> str:
    """Word the first wrong type as Go's decoder does."""
    if isinstance(node, ObjectNode) and isinstance(value, dict):
        children = [
            (node.properties[key], item, node.name, (*path, key))
            for key, item in value.items()
            if key in node.properties and item is not None
        ]
    elif isinstance(node, MapNode) and isinstance(value, dict):
        children = [(node.values, item, struct, path) for item in value.values()]
    elif isinstance(node, ListNode) and isinstance(value, list):
        children = [(node.items, item, struct, path) for item in value if item is not None]
    elif isinstance(node, AnyNode):
        return ""
    elif isinstance(node, ScalarNode):
        return _scalar_problem(node, value, struct, path)
    else:
        return _wrong(value, struct, path, _container_type(node))
    for child, item, owner, below in children:
        if problem := _problem(child, item, owner, below):
            return problem
    return ""


def _scalar_problem(node: ScalarNode, value: Any, struct: str, path: tuple[str, ...]) -> str:
    try:
        _scalar(node, value)
    except Mismatch:
        if node.type == "quantity" and isinstance(value, str):
            return quantity.REFUSAL
        if node.form in {"date-time", "micro-time"} and isinstance(value, str):
            return _time_problem(value, micro=node.form == "micro-time")
        if node.form == "byte" and isinstance(value, str):
            return "illegal base64 data at input byte 0"
        return _wrong(value, struct, path, node.go_type)
    return ""


def _time_problem(text: str, *, micro: bool) -> str:
    layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
    rest, part = text, "2006"
    if micro and text[10:11] == "T":
        rest, part = text[19:], ".000000"
    return f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "{part}"'


def _wrong(value: Any, struct: str, path: tuple[str, ...], go_type: str) -> str:
    field = ".".join((struct, *path))
    return (
        f"json: cannot unmarshal {_json_type(value)} into Go struct field {field} of type {go_type}"
    )


def _container_type(node: Node) -> str:
    if isinstance(node, ListNode):
        inner = node.items
        name = inner.name if isinstance(inner, ObjectNode) else _leaf_type(inner)
        return f"[]v1.{name}" if isinstance(inner, ObjectNode) else f"[]{name}"
    if isinstance(node, MapNode):
        return f"map[string]{_leaf_type(node.values)}"
    return f"v1.{node.name}" if isinstance(node, ObjectNode) else "interface {}"


def _leaf_type(node: Node) -> str:
    return node.go_type if isinstance(node, ScalarNode) else "string"


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "number" if isinstance(value, int) else f"number {value}"
    return "array" if isinstance(value, list) else "object"
