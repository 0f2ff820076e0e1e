"""Names of objects of ours, made of the names of their owners'."""

from __future__ import annotations

import xxhash

LABEL_VALUE_MAX = 63


def shorten(name: str, length_max: int) -> str:
    """Return the name, or as much of it as fits with a hash of the whole behind it."""
    if len(name) <= length_max:
        return name
    digest = xxhash.xxh32_hexdigest(name.encode())
    return f"{name[: length_max - len(digest) - 1].rstrip('-.')}-{digest}"
