"""Structural schemas: as types, for pruning, and for defaults (apiextensions-apiserver 0.36)."""

from __future__ import annotations

from typing import Any

from serinus.kubernetes_model.schema import loader, reading
from serinus.kubernetes_model.schema.nodes import (
    ANY,
    ListNode,
    ListType,
    MapNode,
    Node,
    ObjectNode,
    ScalarNode,
)

Schema = dict[str, Any]

_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_PRESERVES = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"


def root_type(schema: Schema, kind: str) -> ObjectNode:
    """Return the type of a custom resource's objects."""
    node = _object(schema, kind)
    _add_envelope(node)
    return node


def _type(schema: Schema) -> Node:
    if schema.get("x-kubernetes-int-or-string"):
        return ScalarNode("int-or-string")
    kind = schema.get("type")
    if kind == "array":
        return _list(schema)
    if kind == "object":
        additional = schema.get("additionalProperties")
        if additional:
            values = _type(additional) if isinstance(additional, dict) else ANY
            return MapNode(values, atomic=schema.get("x-kubernetes-map-type") == "atomic")
        if "properties" not in schema and not schema.get(_EMBEDDED):
            return ANY if schema.get(_PRESERVES) else _object(schema, "")
        return _object(schema, "")
    return ScalarNode(kind, schema.get("format", "")) if kind else ANY


def _object(schema: Schema, name: str) -> ObjectNode:
    node = ObjectNode(name)
    node.properties = {key: _type(field) for key, field in schema.get("properties", {}).items()}
    node.preserves_unknown = bool(schema.get(_PRESERVES))
    node.atomic = schema.get("x-kubernetes-map-type") == "atomic"
    if schema.get(_EMBEDDED):
        _add_envelope(node)
    return node


def _add_envelope(node: ObjectNode) -> None:
    node.embedded = True
    node.properties["apiVersion"] = node.properties["kind"] = ScalarNode("string")
    node.properties["metadata"] = loader.built_in().component(_OBJECT_META)


def _list(schema: Schema) -> ListNode:
    items = schema.get("items", {})
    keys = tuple(schema.get("x-kubernetes-list-map-keys", ()))
    node = ListNode(_type(items), ListType(schema.get("x-kubernetes-list-type", "atomic")), keys)
    fields = items.get("properties", {})
    node.key_defaults = {
        key: fields[key]["default"] for key in keys if "default" in fields.get(key, {})
    }
    return node


def pruned(node: Node, value: Any) -> Any:
    """Return a value of its own without the fields that the type does not have."""
    if isinstance(node, ObjectNode) and isinstance(value, dict):
        kept: dict[str, Any] = {}
        for key, item in value.items():
            child = node.properties.get(key)
            if child is not None:
                kept[key] = None if item is None else pruned(child, item)
            elif node.preserves_unknown:
                kept[key] = reading.copy(item)
        return kept
    if isinstance(node, MapNode) and isinstance(value, dict):
        return {key: pruned(node.values, item) for key, item in value.items()}
    if isinstance(node, ListNode) and isinstance(value, list):
        return [pruned(node.items, item) for item in value]
    return reading.copy(value)


def fill_defaults(schema: Schema, value: Any) -> None:
    """Set the schema's defaults in a value, in place."""
    if isinstance(value, dict):
        for key, field in schema.get("properties", {}).items():
            if not field.get("nullable") and value.get(key, field) is None:
                del value[key]
            if key not in value and "default" in field:
                value[key] = reading.copy(field["default"])
            if key in value:
                fill_defaults(field, value[key])
        additional = schema.get("additionalProperties")
        if isinstance(additional, dict):
            for key, item in value.items():
                if key not in schema.get("properties", {}):
                    fill_defaults(additional, item)
    elif isinstance(value, list):
        items = schema.get("items", {})
        for item in value:
            fill_defaults(items, item)
