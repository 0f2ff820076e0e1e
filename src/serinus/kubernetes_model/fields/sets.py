"""Sets of field paths, in the very form of FieldsV1.

A tree maps path elements (`f:name`, `k:{...}`, `v:...`) to trees. Below the root, `{}` and a key
`.` both say that the path itself is a member. The empty root is the empty set. Trees are shared
and never changed. The algebra is that of sigs.k8s.io/structured-merge-diff v6, package fieldpath.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

FieldSet: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]

SELF = "."
EMPTY: FieldSet = {}
MEMBER: FieldSet = {}


def is_member(node: FieldSet) -> bool:
    """Tell whether the path that leads to a node below the root is in the set."""
    return not node or SELF in node


def of(paths: Iterable[Path]) -> FieldSet:
    """Return the set of the given paths."""
    root: FieldSet = {}
    for path in paths:
        root = union(root, _branch(path))
    return root


def union(a: FieldSet, b: FieldSet) -> FieldSet:
    """Return what is in one of two sets."""
    if not a or a is b:
        return b
    if not b:
        return a
    return _union(a, b)


def difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """Return what is in the first and not in the second; what lies below a member stays."""
    return _rooted(_difference(a, b, recursive=False)) if a and b else a


def recursive_difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """Return the first without the members of the second and all that lies below them."""
    return _rooted(_difference(a, b, recursive=True)) if a and b else a


def intersection(a: FieldSet, b: FieldSet) -> FieldSet:
    """Return what is in both."""
    if not a or not b:
        return EMPTY
    found: FieldSet = {}
    for key, left in a.items():
        right = b.get(key)
        if right is not None and key != SELF:
            common = _intersection(left, right)
            if common is not None:
                found[key] = common
    return found


def paths(node: FieldSet, prefix: Path = ()) -> Iterator[Path]:
    """Yield every path, members of one level before those below them, in sorted order."""
    keys = sorted((key for key in node if key != SELF), key=_order)
    for key in keys:
        if is_member(node[key]):
            yield (*prefix, key)
    for key in keys:
        yield from paths(node[key], (*prefix, key))


def describe(path: Path) -> str:
    """Return a path as messages word it: `.spec.containers[name="a"].image`."""
    return "".join(map(_describe_element, path))


def _describe_element(element: str) -> str:
    form, _, rest = element.partition(":")
    if form == "f":
        return f".{rest}"
    if form == "k":
        fields = msgspec.json.decode(rest.encode())
        inner = ",".join(f"{k}={msgspec.json.encode(v).decode()}" for k, v in fields.items())
        return f"[{inner}]"
    return f"[={rest}]" if form == "v" else f"[{rest}]"


def _order(element: str) -> tuple[int, str]:
    """Sort as Go does: names, keys, values, indices."""
    return ("fkvi".find(element[0]), element)


def _branch(path: Path) -> FieldSet:
    node = MEMBER
    for element in reversed(path):
        node = {element: node}
    return node


def _union(a: FieldSet, b: FieldSet) -> FieldSet:
    merged = dict(a)
    for key, right in b.items():
        left = a.get(key)
        if left is None or key == SELF or left is right:
            merged[key] = right
        elif not left:
            merged[key] = right if is_member(right) else {SELF: MEMBER, **right}
        elif not right:
            merged[key] = left if SELF in left else {SELF: MEMBER, **left}
        else:
            merged[key] = _union(left, right)
    return merged


def _difference(a: FieldSet, b: FieldSet, *, recursive: bool) -> FieldSet | None:
    """Return what remains of a node, or None when nothing does."""
    kept: FieldSet = {}
    for key, left in a.items():
        if key == SELF:
            continue
        right = b.get(key)
        if right is None:
            kept[key] = left
        elif not (recursive and is_member(right)):
            rest = _node_difference(left, right, recursive=recursive)
            if rest is not None:
                kept[key] = rest
    return kept or None


def _node_difference(left: FieldSet, right: FieldSet, *, recursive: bool) -> FieldSet | None:
    member = is_member(left) and not is_member(right)
    below = _difference(left, right, recursive=recursive)
    if below is None:
        return MEMBER if member else None
    return {SELF: MEMBER, **below} if member else below


def _intersection(a: FieldSet, b: FieldSet) -> FieldSet | None:
    if a is b:
        return a
    member = is_member(a) and is_member(b)
    below = {}
    for key, left in a.items():
        right = b.get(key)
        if right is not None and key != SELF:
            common = _intersection(left, right)
            if common is not None:
                below[key] = common
    if not below:
        return MEMBER if member else None
    return {SELF: MEMBER, **below} if member else below


def _rooted(node: FieldSet | None) -> FieldSet:
    return EMPTY if node is None else node
