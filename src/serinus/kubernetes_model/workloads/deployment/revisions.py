"""Names, hashes and annotations by which a Deployment knows its revisions.

Follows pkg/controller/deployment/util/deployment_util.go of Kubernetes 1.36.3; kubectl's `rollout
history` and `rollout undo` read these annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads.deployment import limits
from serinus.kubernetes_model.workloads.objects import (
    annotations_of,
    replicas_of,
    with_parts,
)

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
    }
)
_HISTORY_LENGTH_MAX = 2000
# Of k8s.io/apimachinery/pkg/util/rand: no vowels, so that no words come out.
_SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_NAME_LENGTH_MAX = 253


def template_hash(template: Mapping[str, Any], collision_count: int | None) -> str:
    """Return the value of the hash label for a template.

    Kubernetes hashes a Go-specific dump of the template; this is the same function (FNV-1a, 32
    bits, in the safe alphabet) of its canonical JSON. Only equality is promised by either.
    """
    content = msgspec.json.encode(_significant(template), order="deterministic")
    if collision_count is not None:
        content += collision_count.to_bytes(4, "little") + bytes(4)
    value = 0x811C9DC5
    for byte in content:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return "".join(_SAFE_ALPHABET[ord(digit) % len(_SAFE_ALPHABET)] for digit in str(value))


def replica_set_name(deployment_name: str, hash_text: str) -> str:
    """Return the name of the ReplicaSet for a hash."""
    return f"{deployment_name[: _NAME_LENGTH_MAX - 1 - len(hash_text)]}-{hash_text}"


def is_same_template(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether two pod templates are equal but for the hash label."""
    return bool(_significant(_without_hash(one)) == _significant(_without_hash(other)))


def with_hash_label(template: Mapping[str, Any], hash_text: str) -> dict[str, Any]:
    """Return the template with the hash among its labels."""
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), HASH_LABEL: hash_text}
    return {**template, "metadata": {**metadata, "labels": labels}}


def revision_of(obj: Object) -> int:
    """Return the revision of a ReplicaSet or Deployment; 0 when it has none that can be read."""
    text = annotations_of(obj).get(REVISION, "")
    return int(text) if _is_number(text) else 0


def desired_replicas_of(replica_set: Object) -> int | None:
    """Return how many replicas the Deployment wanted when it last sized this ReplicaSet."""
    return _count(replica_set, DESIRED_REPLICAS)


def max_replicas_of(replica_set: Object) -> int | None:
    """Return how many Pods the Deployment allowed when it last sized this ReplicaSet."""
    return _count(replica_set, MAX_REPLICAS)


def with_size_annotations(replica_set: Object, deployment: Object) -> Object:
    """Return the ReplicaSet with the Deployment's present size noted on it."""
    desired = replicas_of(deployment)
    noted = {
        **annotations_of(replica_set),
        DESIRED_REPLICAS: str(desired),
        MAX_REPLICAS: str(desired + limits.max_surge(deployment)),
    }
    return with_parts(replica_set, metadata={"annotations": noted})


def new_annotations(
    deployment: Object, current: Mapping[str, str], new_revision: int
) -> dict[str, str]:
    """Return the annotations of the new ReplicaSet: the Deployment's, and its revision."""
    annotations = {
        **current,
        **{k: v for k, v in annotations_of(deployment).items() if k not in _NOT_COPIED},
    }
    known = current.get(REVISION)
    if known and not _is_number(known):
        return annotations
    known_number = int(known) if known else 0
    if known_number >= new_revision:
        # Old ReplicaSets with higher revisions may be gone since; a revision never goes down.
        return annotations
    annotations[REVISION] = str(new_revision)
    if known is not None:
        annotations[REVISION_HISTORY] = _history(current.get(REVISION_HISTORY, ""), known)
    return annotations


def _history(history: str, revision: str) -> str:
    if not history:
        return revision
    kept = history.split(",")
    while kept and len(",".join([*kept, revision])) > _HISTORY_LENGTH_MAX:
        kept.pop(0)
    return ",".join([*kept, revision])


def _count(replica_set: Object, annotation: str) -> int | None:
    text = annotations_of(replica_set).get(annotation)
    if text is None or not _is_number(text) or int(text) > 0x7FFFFFFF:
        return None
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _without_hash(template: Mapping[str, Any]) -> dict[str, Any]:
    metadata = template.get("metadata") or {}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _significant(value: Any) -> Any:
    """Drop what Go's semantic equality does not tell apart: absent, null and empty."""
    if isinstance(value, dict):
        inner = ((key, _significant(item)) for key, item in value.items())
        return {key: item for key, item in inner if item is not None and item not in ({}, [])}
    if isinstance(value, list):
        return [_significant(item) for item in value]
    return value
