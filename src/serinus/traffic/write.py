"""The one form in which a change leaves the pure core: a `Write` to one Kubernetes object."""

from __future__ import annotations

import enum
from typing import Any

import msgspec


class Verb(enum.Enum):
    """What to do with the object."""

    CREATE = "create"
    MERGE = "merge"
    """JSON merge patch (RFC 7386)."""
    STRATEGIC = "strategic"
    """Strategic merge patch: lists of containers merge by name."""
    JSON = "json"
    """JSON patch (RFC 6902)."""
    APPLY = "apply"
    """Server-side apply of the fields in the body, and of no other."""
    DELETE = "delete"


class Propagation(enum.Enum):
    """What happens to the dependents of a deleted object."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class ObjectRef(msgspec.Struct, frozen=True):
    """Name one object."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Write(msgspec.Struct, frozen=True):
    """One change, safe to send now and refused by the server when the world has moved on.

    A patch carries its precondition in `body.metadata` (resourceVersion, or uid for an apply); a
    delete in `uid` and `resource_version`. `why` is for people: `serinus plan` prints it.
    """

    verb: Verb
    target: ObjectRef
    why: str
    body: Any = None
    subresource: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    propagation: Propagation | None = None
