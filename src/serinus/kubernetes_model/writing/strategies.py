"""What differs from kind to kind on the way of a write: generation, status, immutable parts.

Facts: Kubernetes 1.36, pkg/registry/*/strategy.go.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from serinus.kubernetes_model.fields import sets
from serinus.kubernetes_model.fields.sets import FieldSet

ALL = "*"
"""In `status_keeps`: all of the metadata."""


class Generation(enum.Enum):
    """Which changes count as a new generation."""

    NEVER = "never"
    SPEC = "spec"
    SPEC_AND_ANNOTATIONS = "spec and annotations"
    ALL_BUT_METADATA = "all but metadata"


class Strategy(msgspec.Struct, frozen=True):
    """How writes to one kind behave."""

    generation: Generation = Generation.NEVER
    has_status: bool = False
    needs_version: bool = False
    """An update must name the version that it was made from."""
    creates_on_update: bool = False
    """A PUT of a name that is free creates the object."""
    status_keeps: tuple[str, ...] = ()
    """Metadata that a write to the status does not change."""
    status_on_create: bool = False
    """A new object may bring its status (nodes register themselves so)."""
    graceful: bool = False


_WITH_STATUS = Strategy(has_status=True)
_PLAIN = Strategy()
_BY_KIND = {
    "CustomResourceDefinition": Strategy(
        generation=Generation.SPEC, has_status=True, needs_version=True
    ),
    "DaemonSet": Strategy(generation=Generation.SPEC, has_status=True),
    "Deployment": Strategy(
        generation=Generation.SPEC_AND_ANNOTATIONS, has_status=True, status_keeps=("labels",)
    ),
    "EndpointSlice": Strategy(generation=Generation.ALL_BUT_METADATA),
    "Event": Strategy(creates_on_update=True),
    "HorizontalPodAutoscaler": _WITH_STATUS,
    "Lease": Strategy(creates_on_update=True, needs_version=True),
    "Namespace": _WITH_STATUS,
    "Node": Strategy(has_status=True, status_on_create=True),
    "Pod": Strategy(
        generation=Generation.SPEC,
        has_status=True,
        status_keeps=("ownerReferences",),
        graceful=True,
    ),
    "PodDisruptionBudget": Strategy(
        generation=Generation.SPEC, has_status=True, needs_version=True
    ),
    "ReplicaSet": Strategy(generation=Generation.SPEC, has_status=True),
    "Role": Strategy(creates_on_update=True),
    "RoleBinding": Strategy(creates_on_update=True),
    "ClusterRole": Strategy(creates_on_update=True),
    "ClusterRoleBinding": Strategy(creates_on_update=True),
    "Service": Strategy(has_status=True, creates_on_update=True),
    "StatefulSet": Strategy(generation=Generation.SPEC, has_status=True),
}

_SPEC_AND_METADATA = sets.of([("f:spec",), ("f:metadata",)])
_STATUS = sets.of([("f:status",)])
_SPEC = sets.of([("f:spec",)])


def of_kind(kind: str) -> Strategy:
    """Return the strategy of a built-in kind."""
    return _BY_KIND.get(kind, _PLAIN)


def ignored_fields(strategy: Strategy, subresource: str | None) -> FieldSet:
    """Return the fields that an endpoint sets back, so that nobody comes to own them."""
    if not strategy.has_status:
        return sets.EMPTY
    if subresource != "status":
        return _STATUS
    if ALL in strategy.status_keeps:
        return _SPEC_AND_METADATA
    kept = sets.of([("f:metadata", f"f:{key}") for key in strategy.status_keeps])
    return sets.union(_SPEC, kept)


def next_generation(strategy: Strategy, new: dict[str, Any], old: dict[str, Any]) -> int | None:
    """Return the generation after an update of all but the status; None for kinds without one."""
    metadata = old["metadata"]
    generation: int | None = metadata.get("generation")
    if strategy.generation is Generation.NEVER or generation is None:
        return generation
    if strategy.generation is Generation.ALL_BUT_METADATA:
        changed = any(
            new.get(key) != old.get(key) for key in new.keys() | old.keys() if key != "metadata"
        )
    else:
        changed = new.get("spec") != old.get("spec")
    if strategy.generation is Generation.SPEC_AND_ANNOTATIONS:
        annotations = new["metadata"].get("annotations") or {}
        changed = changed or annotations != (metadata.get("annotations") or {})
    return generation + 1 if changed else generation
