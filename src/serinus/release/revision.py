"""Whether two pod templates are the same revision.

Both are compared as the API server returned them, but for `pod-template-hash`, which the Deployment
controller adds. The fingerprint stands for that comparison where a whole template cannot be kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import xxhash

from serinus.traffic.plan import Manifest
from serinus.traffic.pods import HASH_LABEL

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


def without_hash(template: Manifest) -> dict[str, Any]:
    """Return the template as its owner wrote it: without the controller's label."""
    meta = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != HASH_LABEL}
    meta.pop("labels", None)
    if labels:
        meta["labels"] = labels
    return {**template, "metadata": meta}


def fingerprint(template: Manifest) -> str:
    """Return 16 hexadecimal digits that are equal for equal revisions."""
    canonical = msgspec.json.encode(_without_null(without_hash(template)), order="sorted")
    return xxhash.xxh3_64_hexdigest(canonical)


def restart_fingerprint(template: Manifest) -> str:
    """Return the fingerprint with the mark of `kubectl rollout restart` left out."""
    meta = dict(template.get("metadata") or {})
    annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if k != RESTARTED_AT}
    meta.pop("annotations", None)
    if annotations:
        meta["annotations"] = annotations
    return fingerprint({**template, "metadata": meta})


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Yield one line for each place in which two templates differ: `path: old -> new`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_differences(old, new, path)
    elif old != new:
        yield f"{path}: {_short(old)} -> {_short(new)}"


def _list_differences(old: list[Any], new: list[Any], path: str) -> Iterator[str]:
    """Pair items by name, as people see containers and variables, else by position."""
    if all(isinstance(item, dict) and "name" in item for item in (*old, *new)):
        before, after = ({i["name"]: i for i in items} for items in (old, new))
        for name in [*before, *(n for n in after if n not in before)]:
            yield from differences(before.get(name), after.get(name), f"{path}[{name}]")
        return
    for index in range(max(len(old), len(new))):
        before_item, after_item = (
            items[index] if index < len(items) else None for items in (old, new)
        )
        yield from differences(before_item, after_item, f"{path}[{index}]")


def _short(value: Any) -> str:
    if value is None:
        return "(absent)"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."


def _without_null(value: Any) -> Any:
    """Drop nulls: the API server treats them as absent."""
    if isinstance(value, dict):
        return {k: _without_null(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_null(v) for v in value]
    return value
