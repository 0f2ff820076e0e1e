"""Conditions of a status, as the workload controllers set and keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from serinus.clock import Instant
from serinus.kubernetes_model import timestamps

Conditions: TypeAlias = Sequence[Mapping[str, Any]]


class Condition(NamedTuple):
    """One condition, yet without its times."""

    type: str
    status: str
    reason: str
    message: str


def find(conditions: Conditions, type_: str) -> Mapping[str, Any] | None:
    """Return the condition of a type."""
    return next((item for item in conditions if item.get("type") == type_), None)


def without(conditions: Conditions, type_: str) -> list[Mapping[str, Any]]:
    """Return the conditions of all other types."""
    return [item for item in conditions if item.get("type") != type_]


def with_deployment_condition(
    conditions: Conditions, condition: Condition, now: Instant
) -> Conditions:
    """Set a Deployment condition; the same status and reason leave the old one as it is."""
    current = find(conditions, condition.type)
    if current is not None and _is_alike(current, condition):
        return conditions
    text = timestamps.time(now)
    since = text
    if current is not None and current.get("status") == condition.status:
        since = current.get("lastTransitionTime", text)
    times = {"lastUpdateTime": text, "lastTransitionTime": since}
    return [*without(conditions, condition.type), {**condition._asdict(), **times}]


def with_replica_set_condition(
    conditions: Conditions, condition: Condition, now: Instant
) -> Conditions:
    """Set a ReplicaSet condition, which has one time only."""
    current = find(conditions, condition.type)
    if current is not None and _is_alike(current, condition):
        return conditions
    times = {"lastTransitionTime": timestamps.time(now)}
    return [*without(conditions, condition.type), {**condition._asdict(), **times}]


def _is_alike(current: Mapping[str, Any], condition: Condition) -> bool:
    return current.get("status") == condition.status and current.get("reason") == condition.reason
