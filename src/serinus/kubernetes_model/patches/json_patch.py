"""JSON Patch (RFC 6902), as the API server applies it."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.kubernetes_model.patches import PatchError

OPERATIONS_MAX = 10_000
_ABSENT: Any = object()


class MalformedPatchError(PatchError):
    """The patch itself is not JSON Patch."""


def apply(document: Any, operations: Any) -> Any:
    """Return the document after all operations.

    Raises:
        MalformedPatchError: the patch is no list of operations.
        PatchError: an operation does not fit the document, or a test failed.
    """
    if not isinstance(operations, list) or not all(isinstance(o, dict) for o in operations):
        raise MalformedPatchError(
            "error decoding patch: json: cannot unmarshal object into Go value of type "
            "[]handlers.jsonPatchOp"
        )
    root = [msgspec.json.decode(msgspec.json.encode(document))]
    for operation in operations:
        _apply_one(root, operation)
    return root[0]


def _apply_one(root: list[Any], operation: dict[str, Any]) -> None:
    verb, path = operation.get("op"), operation.get("path")
    if not isinstance(path, str):
        raise PatchError(f"{verb} operation without a path")
    if verb in {"add", "replace", "test"} and "value" not in operation:
        raise PatchError(f"{verb} operation without a value")
    value = operation.get("value")
    if verb == "add":
        _add(root, path, value)
    elif verb == "remove":
        _remove(root, path)
    elif verb == "replace":
        _remove(root, path)
        _add(root, path, value)
    elif verb == "move":
        _add(root, path, _remove(root, _origin(operation)))
    elif verb == "copy":
        found = _lookup(root, _origin(operation))
        _add(root, path, msgspec.json.decode(msgspec.json.encode(found)))
    elif verb == "test":
        if not _equal(_lookup(root, path, missing=None), value):
            raise PatchError(f"testing value {path} failed: test failed")
    else:
        raise PatchError(f"Unexpected kind: {verb}")


def _origin(operation: dict[str, Any]) -> str:
    origin = operation.get("from")
    if not isinstance(origin, str):
        raise PatchError("operation without from")
    return origin


def _tokens(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise PatchError(f"path {path!r} does not begin with a slash")
    return [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]


def _parent(root: list[Any], path: str) -> tuple[Any, str]:
    """Return the container that a path's last token is in, and that token."""
    node: Any = root
    tokens = ["0", *_tokens(path)]
    for token in tokens[:-1]:
        node = _step(node, token)
        if not isinstance(node, (dict, list)):
            raise PatchError(f"doc is missing path: {path}: missing value")
    return node, tokens[-1]


def _step(node: Any, token: str) -> Any:
    if isinstance(node, dict):
        return node.get(token, _ABSENT)
    if isinstance(node, list):
        position = _position(token, len(node))
        return node[position] if position < len(node) else _ABSENT
    return _ABSENT


def _position(token: str, length: int) -> int:
    if not token.lstrip("-").isdigit():
        raise PatchError(f"unable to access invalid index: {token}")
    position = int(token)
    if position < 0:
        position += length
    if not 0 <= position <= length:
        raise PatchError(f"unable to access invalid index: {token}")
    return position


def _lookup(root: list[Any], path: str, missing: Any = _ABSENT) -> Any:
    parent, token = _parent(root, path)
    found = _step(parent, token)
    if found is not _ABSENT:
        return found
    if missing is _ABSENT:
        raise PatchError(f"missing value at {path}")
    return missing


def _add(root: list[Any], path: str, value: Any) -> None:
    parent, token = _parent(root, path)
    if isinstance(parent, dict):
        parent[token] = value
    elif parent is root:
        root[:] = [value]
    elif token == "-":  # noqa: S105  (JSON Pointer's word for the end of a list)
        parent.append(value)
    else:
        parent.insert(_position(token, len(parent)), value)


def _remove(root: list[Any], path: str) -> Any:
    parent, token = _parent(root, path)
    if _step(parent, token) is _ABSENT:
        raise PatchError(f"Unable to remove nonexistent key: {token}: missing value")
    if isinstance(parent, dict):
        return parent.pop(token)
    if parent is root:
        return root[0]
    return parent.pop(_position(token, len(parent)))


def _equal(left: Any, right: Any) -> bool:
    """Compare as JSON does: true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
