"""Strategic merge patch: a merge that knows by which key list items are the same.

Follows k8s.io/apimachinery 0.36, pkg/util/strategicpatch: `$patch`, `$retainKeys`,
`$setElementOrder/x` and `$deleteFromPrimitiveList/x` are directives.
"""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.kubernetes_model.patches import PatchError
from serinus.kubernetes_model.schema.nodes import ANY, ListNode, MapNode, Node, ObjectNode

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"
_ABSENT: Any = object()


def apply(node: ObjectNode, original: dict[str, Any], patch: Any) -> dict[str, Any]:
    """Return the original with the patch merged in.

    Raises:
        PatchError: the patch has no such form, or names an unknown directive.
    """
    if not isinstance(patch, dict):
        raise PatchError(
            "json: cannot unmarshal array into Go value of type map[string]interface {}"
        )
    return _merge_map(node, original, patch)


def _merge_map(node: Node, original: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    if _DIRECTIVE in patch:
        return _directed(patch)
    merged = dict(original)
    _retain(merged, patch)
    for key, value in patch.items():
        if key.startswith(_ORDER):
            continue
        if key == _RETAIN:
            continue
        if key.startswith(_DELETE):
            name = key.removeprefix(_DELETE)
            merged[name] = [v for v in _list(merged.get(name, [])) if v not in _list(value)]
        elif value is None:
            merged.pop(key, None)
        else:
            _merge_field(node, merged, key, value)
    for key, order in patch.items():
        if key.startswith(_ORDER):
            name = key.removeprefix(_ORDER)
            _reorder(_child(node, name), merged, name, (original.get(name), _list(order)))
    return merged


def _directed(patch: dict[str, Any]) -> dict[str, Any]:
    directive = patch[_DIRECTIVE]
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    if directive == "delete":
        return {}
    raise PatchError(f"unknown patch type: {directive} in map: {_shown(patch)}")


def _retain(merged: dict[str, Any], patch: dict[str, Any]) -> None:
    keys = patch.get(_RETAIN)
    if keys is None:
        return
    named = {k for k, v in patch.items() if v is not None and not k.startswith("$")}
    if not isinstance(keys, list) or named - set(keys):
        raise PatchError("invalid patch format of retainKeys")
    for key in list(merged):
        if key not in keys:
            del merged[key]


def _merge_field(node: Node, merged: dict[str, Any], key: str, value: Any) -> None:
    child = _child(node, key)
    old = merged.get(key, _ABSENT)
    if isinstance(value, dict) and isinstance(old, dict):
        replaces = isinstance(node, ObjectNode) and "replace" in node.patch_strategies.get(key, ())
        merged[key] = dict(value) if replaces else _merge_map(child, old, value)
    elif isinstance(value, list) and isinstance(old, list):
        merges = isinstance(child, ListNode) and "merge" in child.patch_strategies
        merged[key] = _merge_list(child, old, value) if merges else value
    else:
        plain = _without_directives(value)
        if plain is _ABSENT:
            merged.pop(key, None)
        else:
            merged[key] = plain


def _child(node: Node, key: str) -> Node:
    if isinstance(node, ObjectNode):
        return node.properties.get(key, ANY)
    return node.values if isinstance(node, MapNode) else ANY


def _merge_list(node: Node, original: list[Any], patch: list[Any]) -> list[Any]:
    if not isinstance(node, ListNode) or not (original or patch):
        return original
    key = node.merge_key
    if key is None:
        merged = list(dict.fromkeys([*original, *patch]))
        return _ordered(merged, patch, original, None)
    kept, additions = _special(original, patch, key)
    position = {item.get(key): index for index, item in reversed(list(enumerate(kept)))}
    merged = list(kept)
    for item in additions:
        if key not in item:
            raise _no_merge_key(item, key)
        index = position.get(item[key])
        if index is None:
            merged.append(_without_directives(item))
        else:
            merged[index] = _merge_map(node.items, merged[index], item)
    return _ordered(merged, additions, kept, key)


def _special(
    original: list[Any], patch: list[Any], key: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Carry out the directives among a list's items; return what is left of both lists."""
    kept = list(original)
    additions: list[dict[str, Any]] = []
    replace = False
    for item in patch:
        if not isinstance(item, dict):
            raise PatchError("expected a map[string]interface {}, but received another type")
        directive = item.get(_DIRECTIVE)
        if directive is None:
            additions.append(item)
        elif directive == "delete":
            if key not in item:
                raise _no_merge_key(item, key)
            kept = [old for old in kept if old.get(key) != item[key]]
        elif directive == "replace":
            replace = True
        else:
            raise PatchError(f"unknown patch type: {directive} in map: {_shown(item)}")
    if not replace:
        return kept, additions
    return [{k: v for k, v in item.items() if k != _DIRECTIVE} for item in additions], []


def _reorder(
    node: Node, merged: dict[str, Any], name: str, lists: tuple[list[Any] | None, list[Any]]
) -> None:
    original, order = lists
    if name in merged and isinstance(node, ListNode):
        merged[name] = _ordered(_list(merged[name]), order, original or [], node.merge_key)


def _ordered(items: list[Any], asked: list[Any], server: list[Any], key: str | None) -> list[Any]:
    """Put the items that a patch names into its order, the others where they stood."""
    places = {_identity(item, key): index for index, item in reversed(list(enumerate(asked)))}
    stood = {_identity(item, key): index for index, item in reversed(list(enumerate(server)))}
    named = [item for item in items if _identity(item, key) in places]
    others = [item for item in items if _identity(item, key) not in places]
    named.sort(key=lambda item: places[_identity(item, key)])
    others.sort(key=lambda item: stood.get(_identity(item, key), len(stood)))
    result: list[Any] = []
    while named and others:
        left = stood.get(_identity(others[0], key))
        right = stood.get(_identity(named[0], key))
        first = others if left is not None and right is not None and left < right else named
        result.append(first.pop(0))
    return result + others + named


def _identity(item: Any, key: str | None) -> Any:
    if key is None:
        return item
    if not isinstance(item, dict) or key not in item:
        raise _no_merge_key(item, key)
    return item[key]


def _without_directives(value: Any) -> Any:
    """Return a value as it is stored where nothing was before: no nulls, no directives."""
    if isinstance(value, dict):
        if _DIRECTIVE in value:
            return _ABSENT
        plain = {k: _without_directives(v) for k, v in value.items() if v is not None}
        return {
            k: v
            for k, v in plain.items()
            if v is not _ABSENT and k != _RETAIN and not k.startswith((_ORDER, _DELETE))
        }
    if isinstance(value, list):
        return [v for v in map(_without_directives, value) if v is not _ABSENT]
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise PatchError("expected a []interface {}, but received another type")
    return value


def _no_merge_key(item: Any, key: str) -> PatchError:
    return PatchError(f"map: {_shown(item)} does not contain declared merge key: {key}")


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()
