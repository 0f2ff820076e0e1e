"""Objects seen through their types: which fields they have, how two differ, how two merge.

The rules are those of sigs.k8s.io/structured-merge-diff v6, package typed: maps are merged by key,
lists by their declared kind, atomic values as one. A key that is absent and a key that is null are
two things here, as they are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.kubernetes_model.fields import sets
from serinus.kubernetes_model.fields.sets import MEMBER, SELF, FieldSet
from serinus.kubernetes_model.schema.nodes import (
    ANY,
    AnyNode,
    ListNode,
    ListType,
    MapNode,
    Node,
    ObjectNode,
    ScalarNode,
)

_ABSENT: Any = object()
_Side = Any


class Difference(msgspec.Struct):
    """What changed between two objects."""

    changed: FieldSet
    """Paths that were modified or added."""
    removed: FieldSet


def item_key(node: ListNode, item: Any) -> str | None:
    """Return the path element of an item of a set or map list; None when it has no key."""
    if node.list_type is ListType.SET:
        return f"v:{msgspec.json.encode(item).decode()}"
    if not isinstance(item, dict):
        return None
    fields = {}
    for key in node.keys:
        value = item.get(key)
        if value is None:
            value = node.key_defaults.get(key)
        if value is not None:
            fields[key] = value
    if not fields:
        return None
    return f"k:{msgspec.json.encode(fields, order='sorted').decode()}"


def field_set(node: ObjectNode, value: dict[str, Any]) -> FieldSet:
    """Return every field that a configuration names."""
    return _fields(node, value) or sets.EMPTY


def compare(node: ObjectNode, old: dict[str, Any], new: dict[str, Any]) -> Difference:
    """Return the fields in which two objects differ."""
    changed, removed = _compare(node, old, new)
    return Difference(changed or sets.EMPTY, removed or sets.EMPTY)


def _child(node: Node, key: str) -> Node:
    if type(node) is ObjectNode:
        return node.properties.get(key, ANY)
    return node.values if type(node) is MapNode else ANY


def _is_atomic(node: Node) -> bool:
    if type(node) is ObjectNode or type(node) is MapNode:
        return node.atomic
    if type(node) is ListNode:
        return node.list_type is ListType.ATOMIC
    return type(node) is ScalarNode


def _fields(node: Node, value: Any) -> FieldSet | None:
    """Return the node for a value, or None when nothing at or below it is a member."""
    if type(value) is dict and not _is_atomic(node):
        found: FieldSet = {}
        properties = node.properties if type(node) is ObjectNode else {}
        for key, item in value.items():
            below = _fields(_child(node, key), item)
            if item is None or item == {} or key not in properties:
                below = _as_member(below)
            if below is not None:
                found[f"f:{key}"] = below
        return found or None
    if type(value) is list and type(node) is ListNode and not _is_atomic(node):
        return _list_fields(node, value)
    if value is None and type(node) is not ScalarNode and not _is_atomic(node):
        return None
    return MEMBER


def _list_fields(node: ListNode, value: list[Any]) -> FieldSet | None:
    found: FieldSet = {}
    doubled: set[str] = set()
    for item in value:
        key = item_key(node, item)
        if key is None:
            continue
        if key in found:
            doubled.add(key)
        found[key] = _as_member(_fields(node.items, item))
    for key in doubled:
        found[key] = MEMBER
    return found or None


def _as_member(node: FieldSet | None) -> FieldSet:
    if not node:
        return MEMBER
    return node if SELF in node else {SELF: MEMBER, **node}


_Pair = tuple[FieldSet | None, FieldSet | None]


def _compare(node: Node, old: _Side, new: _Side) -> _Pair:
    """Return (changed, removed) for one path; each None when nothing of it is."""
    if old is new or (old == new and type(old) is type(new)):
        return None, None
    if not _is_atomic(node):
        if (old or new) and _is(dict, old) and _is(dict, new):
            return _compare_maps(node, old, new)
        if type(node) is ListNode and (old or new) and _is(list, old) and _is(list, new):
            return _compare_lists(node, old, new)
        if type(node) in {ObjectNode, MapNode, ListNode} and not _blank(old, new):
            return _compare_forms(node, old, new)
    if new is _ABSENT:
        return None, MEMBER
    return MEMBER, None


def _is(kind: type, value: _Side) -> bool:
    return value is _ABSENT or value is None or type(value) is kind


def _blank(old: _Side, new: _Side) -> bool:
    return (old is _ABSENT or not old) and (new is _ABSENT or not new)


def _compare_forms(node: Node, old: _Side, new: _Side) -> _Pair:
    """Compare two values of which one has the wrong form: all of the old goes, all new comes."""
    del node, old
    return (None, MEMBER) if new is _ABSENT else (MEMBER, None)


def _compare_maps(node: Node, old: _Side, new: _Side) -> _Pair:
    changed: FieldSet = {}
    removed: FieldSet = {}
    left = old if type(old) is dict else {}
    right = new if type(new) is dict else {}
    for key, item in right.items():
        before = left.get(key, _ABSENT)
        if before is item:
            continue
        came, went = _compare(_child(node, key), before, item)
        if came is not None:
            changed[f"f:{key}"] = came
        if went is not None:
            removed[f"f:{key}"] = went
    for key, item in left.items():
        if key not in right:
            came, went = _compare(_child(node, key), item, _ABSENT)
            if came is not None:
                changed[f"f:{key}"] = came
            if went is not None:
                removed[f"f:{key}"] = went
    return _ends(old, new, changed, removed)


def _compare_lists(node: ListNode, old: _Side, new: _Side) -> _Pair:
    changed: FieldSet = {}
    removed: FieldSet = {}
    left = _by_key(node, old)
    right = _by_key(node, new)
    for key in left | right:
        before, after = left.get(key, []), right.get(key, [])
        came: FieldSet | None = None
        went: FieldSet | None = None
        if len(before) <= 1 and len(after) <= 1:
            came, went = _compare(
                node.items, before[0] if before else _ABSENT, after[0] if after else _ABSENT
            )
        elif before != after:
            # Items that share a key are owned as one.
            came, went = (MEMBER, None) if len(after) > 1 else (None, MEMBER)
        if came is not None:
            changed[key] = came
        if went is not None:
            removed[key] = went
    return _ends(old, new, changed, removed)


def _ends(old: _Side, new: _Side, changed: FieldSet, removed: FieldSet) -> _Pair:
    """Add the path itself where it came or went with what is below it."""
    if old is _ABSENT:
        return _as_member(changed), removed or None
    if new is _ABSENT:
        return changed or None, _as_member(removed)
    return changed or None, removed or None


def _by_key(node: ListNode, value: _Side) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    if type(value) is list:
        for item in value:
            key = item_key(node, item)
            if key is not None:
                found.setdefault(key, []).append(item)
    return found


def merge(node: Node, live: Any, config: Any) -> Any:
    """Return the live value with all that a configuration says; nothing is removed."""
    if config is _ABSENT:
        return live
    if live is _ABSENT or _is_atomic(node):
        return config
    if type(config) is dict and (type(live) is dict or live is None):
        return _merge_maps(node, live or {}, config)
    if type(node) is ListNode and type(config) is list and (type(live) is list or live is None):
        return _merge_lists(node, live or [], config)
    return config


def _merge_maps(node: Node, live: dict[str, Any], config: dict[str, Any]) -> Any:
    if not live and not config:
        return config
    merged = dict(live)
    for key, item in config.items():
        merged[key] = merge(_child(node, key), live.get(key, _ABSENT), item)
    return merged


def _merge_lists(node: ListNode, live: list[Any], config: list[Any]) -> list[Any]:
    """Merge by key, in the order that `_merge_order` gives."""
    if not live and not config:
        return config
    wanted = {key: item for item in config if (key := item_key(node, item)) is not None}
    have = [(item_key(node, item) or "", item) for item in live]
    first: dict[str, Any] = {}
    for key, item in have:
        first.setdefault(key, item)
    merged: list[Any] = []
    for key, position in _merge_order([key for key, _ in have], list(wanted)):
        if position is None:
            merged.append(merge(node.items, first.get(key, _ABSENT), wanted[key]))
        else:
            merged.append(live[position])
    return merged


def _merge_order(have: list[str], wanted: list[str]) -> Iterator[tuple[str, int | None]]:
    """Yield keys in merged order, with the position of items that only the live list has.

    Items in both lists stand in the configuration's order, the others near where they stood.
    """
    shared = [key for key in wanted if key in set(have)]
    asked, done = set(wanted), set[str]()
    left = right = 0
    while left < len(have) or right < len(wanted):
        if left < len(have):
            key = have[left]
            if key not in asked:
                yield key, left
                left += 1
                continue
            if right < len(wanted) and key != wanted[right] and shared and shared[0] != key:
                left += 1
                continue
            if key in done or (right < len(wanted) and key == wanted[right]):
                left += 1
        if right < len(wanted):
            key = wanted[right]
            done.add(key)
            yield key, None
            right += 1
            if shared and shared[0] == key:
                shared.pop(0)


def remove(node: Node, value: Any, unwanted: FieldSet) -> Any:
    """Return the value without the members of a set; a container that empties becomes null."""
    if type(value) is dict and not _is_atomic(node):
        kept: dict[str, Any] = {}
        for key, item in value.items():
            mark = unwanted.get(f"f:{key}")
            if mark is None:
                kept[key] = item
            elif not sets.is_member(mark):
                kept[key] = remove(_child(node, key), item, mark)
        return kept or None
    if type(value) is list and type(node) is ListNode and not _is_atomic(node):
        items: list[Any] = []
        for item in value:
            mark = unwanted.get(item_key(node, item) or "")
            if mark is None:
                items.append(item)
            elif not sets.is_member(mark):
                items.append(remove(node.items, item, mark))
        return items or None
    return None if type(value) in {dict, list} else value


def with_named_fields(node: Node, tree: FieldSet) -> FieldSet:
    """Return the set with every struct field on the way to a member made a member too."""
    if not tree:
        return tree
    properties = node.properties if type(node) is ObjectNode else {}
    result: FieldSet = {}
    for key, below in tree.items():
        if key == SELF:
            result[SELF] = MEMBER
            continue
        deeper = with_named_fields(_below(node, key), below) if below else below
        named = key[:2] == "f:" and key[2:] in properties
        result[key] = _as_member(deeper) if named else deeper
    return result


def _below(node: Node, key: str) -> Node:
    if key[:2] == "f:":
        return _child(node, key[2:])
    return node.items if type(node) is ListNode else ANY


def problems(node: Node, value: Any, path: sets.Path = ()) -> list[str]:
    """Return why a configuration does not fit its type, in the words of structured-merge-diff."""
    if value is None or type(node) is AnyNode:
        return []
    if type(node) is ScalarNode:
        words = _scalar_problem(node, value)
        return [_at(path, words)] if words else []
    if type(node) is ListNode:
        return _list_problems(node, value, path)
    if type(value) is not dict:
        return [_at(path, f"expected map, got {_shown(value)}")]
    found: list[str] = []
    for key, item in value.items():
        below = (*path, f"f:{key}")
        if type(node) is ObjectNode and key not in node.properties and not node.preserves_unknown:
            found.append(_at(below, "field not declared in schema"))
        else:
            found += problems(_child(node, key), item, below)
    return found


def _list_problems(node: ListNode, value: Any, path: sets.Path) -> list[str]:
    if type(value) is not list:
        return [_at(path, f"expected list, got {_shown(value)}")]
    found: list[str] = []
    seen: set[str] = set()
    for index, item in enumerate(value):
        key = f"i:{index}"
        if node.list_type is not ListType.ATOMIC:
            key = item_key(node, item) or key
            if key in seen:
                words = f"duplicate entries for key {sets.describe((key,))}"
                found.append(_at(path, words))
            seen.add(key)
        found += problems(node.items, item, (*path, key))
    return found


def _scalar_problem(node: ScalarNode, value: Any) -> str:
    given = type(value)
    if node.type in {"integer", "number"}:
        fits = given is int or given is float
        return "" if fits else f"expected numeric (int or float), got {_go_type(value)}"
    if node.type == "boolean":
        return "" if given is bool else f"expected boolean, got {_shown(value)}"
    if node.type == "string":
        shown = f"&value.valueUnstructured{{Value:{_shown(value)}}}"
        return "" if given is str else f"expected string, got {shown}"
    return "" if given not in {dict, list} else f"expected any scalar, got {_shown(value)}"


def _at(path: sets.Path, words: str) -> str:
    return f"{sets.describe(path)}: {words}"


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _go_type(value: Any) -> str:
    names = {str: "string", bool: "bool", dict: "map[string]interface {}", list: "[]interface {}"}
    return names.get(type(value), "")
