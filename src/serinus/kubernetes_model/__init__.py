"""The one model of Kubernetes: an API server's rules as a pure, synchronous object."""

from __future__ import annotations

from serinus.kubernetes_model.cluster import Cluster
from serinus.kubernetes_model.kinds import KINDS, Resource
from serinus.kubernetes_model.requests import (
    Change,
    ChangeType,
    DeleteOptions,
    FieldValidation,
    Object,
    ObjectList,
    PatchType,
    Propagation,
    WriteOptions,
    Written,
)

__all__ = [
    "KINDS",
    "Change",
    "ChangeType",
    "Cluster",
    "DeleteOptions",
    "FieldValidation",
    "Object",
    "ObjectList",
    "PatchType",
    "Propagation",
    "Resource",
    "WriteOptions",
    "Written",
]
