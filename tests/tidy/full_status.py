"""A status in which nothing has its default, whatever fields there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.clock import Instant
from serinus.release.model import Status


def full_status() -> Status:
    """Return a status that the codec writes with all of its fields."""
    return Status(**{f.name: _other(f.type, f.default) for f in msgspec.structs.fields(Status)})


def types(annotation: Any) -> Iterator[Any]:
    """Yield a type and those that it is made of."""
    yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from types(argument)


def _other(annotation: Any, default: Any) -> Any:
    """Return a value of the type that is not the default."""
    parts = [t for t in types(annotation) if t is not type(None)]
    struct = next((t for t in parts if msgspec.inspect.is_struct_type(t)), None)
    if struct is not None:
        value = struct(**{f.name: _other(f.type, None) for f in msgspec.structs.fields(struct)})
        return (value,) if default == () else value
    enum_type = next((t for t in parts if hasattr(t, "__members__")), None)
    if enum_type is not None:
        return next(member for member in enum_type if member is not default)
    return {bool: True, str: "x"}.get(parts[-1], Instant(1)) if default != "" else "x"
