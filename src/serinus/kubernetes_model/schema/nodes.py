"""The tree of types against which manifests are read, merged, patched and owned.

`ObjectNode` is a Go struct (or a CRD's `properties`), `MapNode` a map of strings, `ListNode` a list
with its merge semantics, `ScalarNode` a leaf, `AnyNode` whatever JSON there is.
"""

from __future__ import annotations

import enum
from typing import Any, TypeAlias


class ListType(enum.Enum):
    """How two versions of a list are merged (`x-kubernetes-list-type`)."""

    ATOMIC = "atomic"
    SET = "set"
    MAP = "map"


class ScalarNode:
    """A leaf: `string`, `integer`, `number`, `boolean`, `int-or-string` or `quantity`."""

    __slots__ = ("form", "go_type", "type")

    def __init__(self, type_: str, form: str = "") -> None:
        self.type = type_
        self.form = form
        self.go_type = _go_type(type_, form)


class AnyNode:
    """Any JSON; maps in it are merged by key, lists in it are one value."""

    __slots__ = ()


class MapNode:
    """Free keys, one type of value."""

    __slots__ = ("atomic", "values")

    def __init__(self, values: Node, *, atomic: bool = False) -> None:
        self.values = values
        self.atomic = atomic


class ListNode:
    """Items of one type, with what tells them apart."""

    __slots__ = ("items", "key_defaults", "keys", "list_type", "merge_key", "patch_strategies")

    def __init__(self, items: Node, list_type: ListType, keys: tuple[str, ...] = ()) -> None:
        self.items = items
        self.list_type = list_type
        self.keys = keys
        self.key_defaults: dict[str, Any] = {}
        """Values of keys that an item may leave out (a port's protocol)."""
        self.merge_key: str | None = None
        """The one key by which a strategic merge patch finds an item."""
        self.patch_strategies: tuple[str, ...] = ()


class ObjectNode:
    """Named fields. Mutable only while its loader fills it: schemas may be recursive."""

    __slots__ = (
        "always_present",
        "atomic",
        "embedded",
        "name",
        "omitted_when_zero",
        "patch_strategies",
        "preserves_unknown",
        "properties",
        "when_absent",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.properties: dict[str, Node] = {}
        self.atomic = False
        self.preserves_unknown = False
        self.embedded = False
        """An object of its own kind within a custom resource: apiVersion and kind are known."""
        self.omitted_when_zero: frozenset[str] = frozenset()
        """Fields that Go leaves out when they are zero."""
        self.always_present: tuple[str, ...] = ()
        """Structs that Go writes even when they are empty."""
        self.patch_strategies: dict[str, tuple[str, ...]] = {}
        """Strategies of fields that are no lists (`retainKeys`)."""
        self.when_absent: dict[str, Any] = {}
        """What Go writes for fields that it never leaves out: null, 0, "", false."""


Node: TypeAlias = ScalarNode | AnyNode | MapNode | ListNode | ObjectNode

ANY = AnyNode()


def _go_type(type_: str, form: str) -> str:
    """Return the Go type that messages name."""
    if type_ == "integer":
        return form or "int64"
    if type_ == "number":
        return "float64"
    if type_ == "boolean":
        return "bool"
    return "string"
