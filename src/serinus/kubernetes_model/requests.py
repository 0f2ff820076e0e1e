"""What a caller says beside the object (options), and what it gets back (values)."""

from __future__ import annotations

import enum
from typing import Any, TypeAlias

import msgspec

from serinus.kubernetes_model import kinds

Object: TypeAlias = dict[str, Any]
"""A manifest as plain JSON. What the model returns is shared: read it, never change it."""


class FieldValidation(enum.Enum):
    """What to do with fields that the schema does not know."""

    IGNORE = "Ignore"
    WARN = "Warn"
    STRICT = "Strict"


class PatchType(enum.Enum):
    """The four ways to say a change; the value is the media type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class Propagation(enum.Enum):
    """What becomes of the dependents of a deleted object."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class WriteOptions(msgspec.Struct, frozen=True):
    """Options of a create, replace or patch."""

    field_manager: str = "unknown"
    force: bool = False
    """Take fields from other managers (apply only)."""
    dry_run: bool = False
    field_validation: FieldValidation = FieldValidation.WARN
    user: str = ""


class DeleteOptions(msgspec.Struct, frozen=True):
    """Options of a delete."""

    propagation: Propagation | None = None
    grace_seconds: int | None = None
    uid: str | None = None
    """Precondition."""
    resource_version: str | None = None
    """Precondition."""
    dry_run: bool = False
    user: str = ""


class Written(msgspec.Struct, frozen=True):
    """What a write left behind."""

    object: Object
    warnings: tuple[str, ...] = ()
    created: bool = False
    changed: bool = False
    """False: the write was a no-op, or a dry run; the resource version stands."""
    deleted: bool = False
    """The object is gone (not merely marked)."""


class ObjectList(msgspec.Struct, frozen=True):
    """One page of a list."""

    items: list[Object]
    resource_version: str
    continue_token: str | None = None
    remaining_item_count: int | None = None


class ChangeType(enum.Enum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Change(msgspec.Struct, frozen=True):
    """One committed change; `version` is the object's new resource version as an integer."""

    type: ChangeType
    resource: kinds.Resource
    object: Object
    previous: Object | None
    version: int
