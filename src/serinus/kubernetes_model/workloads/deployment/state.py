"""What one reconcile of a Deployment knows, and how it writes it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from serinus.clock import Instant
from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads.deployment import revisions
from serinus.kubernetes_model.workloads.objects import (
    DEPLOYMENT,
    REPLICA_SET,
    Event,
    Objects,
    age_order,
    replicas_of,
    uid_of,
    with_status,
)

COMPONENT = "deployment-controller"


class State:
    """One Deployment with its ReplicaSets, as of the last write of this reconcile."""

    def __init__(
        self, objects: Objects, deployment: Object, replica_sets: Iterable[Object], now: Instant
    ) -> None:
        self.objects = objects
        self.deployment = deployment
        self.replica_sets = sorted(replica_sets, key=age_order)
        self.now = now
        self.wake_at: Instant | None = None
        self._same_template: dict[str, bool] = {}

    @property
    def spec(self) -> Mapping[str, Any]:
        """Return the Deployment's spec."""
        spec: Mapping[str, Any] = self.deployment["spec"]
        return spec

    @property
    def status(self) -> Mapping[str, Any]:
        """Return the Deployment's status as last written."""
        return self.deployment.get("status") or {}

    def new(self) -> Object | None:
        """Return the oldest ReplicaSet that has the Deployment's template.

        The oldest, because several may have it: kubernetes/kubernetes#40415.
        """
        return next((item for item in self.replica_sets if self._has_our_template(item)), None)

    def old(self) -> list[Object]:
        """Return all other ReplicaSets, from old to new."""
        new = self.new()
        return [item for item in self.replica_sets if new is None or uid_of(item) != uid_of(new)]

    def active_old(self) -> list[Object]:
        """Return the other ReplicaSets that want Pods, from old to new."""
        return [item for item in self.old() if replicas_of(item) > 0]

    def take(self, replica_set: Object) -> None:
        """Know a created or changed ReplicaSet."""
        others = [item for item in self.replica_sets if uid_of(item) != uid_of(replica_set)]
        self.replica_sets = sorted([*others, replica_set], key=age_order)

    def update_replica_set(self, replica_set: Object) -> Object:
        """Write a ReplicaSet and know it as stored."""
        stored = self.objects.update(REPLICA_SET, replica_set)
        self.take(stored)
        return stored

    def write(self, deployment: Object) -> None:
        """Write the Deployment's status and annotations, and know it as stored."""
        self.deployment = self.objects.update_status(DEPLOYMENT, deployment)

    def write_status(self, status: Mapping[str, Any]) -> None:
        """Write the Deployment's status, if it differs."""
        if dict(status) != dict(self.status):
            self.write(with_status(self.deployment, status))

    def _has_our_template(self, replica_set: Object) -> bool:
        # Neither template changes during one reconcile, and to compare them is the costly part.
        uid = uid_of(replica_set)
        if uid not in self._same_template:
            theirs = replica_set["spec"]["template"]
            same = revisions.is_same_template(theirs, self.spec["template"])
            self._same_template[uid] = same
        return self._same_template[uid]

    def record(self, reason: str, message: str, type_: str = "Normal") -> None:
        """Write an Event about the Deployment."""
        event = Event(COMPONENT, type_, reason, message)
        self.objects.record((DEPLOYMENT, self.deployment), event)
