"""Objects to a `Table` document: which columns a kind has, and what each row carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from serinus.clock import Instant
from serinus.kubernetes_model import Object, Resource
from serinus.local_cluster.server.tables import core, custom, pods, policies, workloads
from serinus.local_cluster.server.tables.columns import CREATED_AT, NAME, Column

_DEFAULT = (NAME, CREATED_AT)
_BY_KIND: Mapping[tuple[str, str], Sequence[Column]] = {
    ("", "Pod"): pods.POD,
    ("", "Service"): core.SERVICE,
    ("", "Node"): core.NODE,
    ("", "Namespace"): core.NAMESPACE,
    ("", "ConfigMap"): core.CONFIG_MAP,
    ("", "Secret"): core.SECRET,
    ("", "ServiceAccount"): core.SERVICE_ACCOUNT,
    ("", "Event"): core.EVENT,
    ("events.k8s.io", "Event"): core.EVENT,
    ("apps", "Deployment"): workloads.DEPLOYMENT,
    ("apps", "ReplicaSet"): workloads.REPLICA_SET,
    ("apps", "StatefulSet"): workloads.STATEFUL_SET,
    ("apps", "DaemonSet"): workloads.DAEMON_SET,
    ("autoscaling", "Scale"): workloads.SCALE,
    ("autoscaling", "HorizontalPodAutoscaler"): policies.HORIZONTAL_POD_AUTOSCALER,
    ("coordination.k8s.io", "Lease"): policies.LEASE,
    ("discovery.k8s.io", "EndpointSlice"): policies.ENDPOINT_SLICE,
    ("policy", "PodDisruptionBudget"): policies.POD_DISRUPTION_BUDGET,
    ("rbac.authorization.k8s.io", "RoleBinding"): policies.ROLE_BINDING,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): policies.ROLE_BINDING,
    ("rbac.authorization.k8s.io", "Role"): _DEFAULT,
    ("rbac.authorization.k8s.io", "ClusterRole"): _DEFAULT,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _DEFAULT,
}


class Tables:
    """Make tables for one cluster; `definition_of` returns the CRD behind a custom resource."""

    def __init__(self, definition_of: Callable[[Resource], Object | None]) -> None:
        self._definition_of = definition_of

    def columns(self, resource: Resource, kind: str | None = None) -> Sequence[Column]:
        """Return the columns of a resource, or of the `Scale` that stands for it."""
        if kind == "Scale":
            return workloads.SCALE
        built_in = _BY_KIND.get((resource.group, resource.kind))
        if built_in is not None:
            return built_in
        definition = self._definition_of(resource)
        return _DEFAULT if definition is None else custom.columns(definition, resource.version)

    def table(
        self,
        columns: Sequence[Column],
        items: Sequence[Object],
        metadata: Mapping[str, Any],
        *,
        now: Instant,
        include_object: str = "Metadata",
        headers: bool = True,
    ) -> dict[str, Any]:
        """Return a `Table` of the items.

        `include_object` is `None`, `Metadata` or `Object`, as in the query of that name.
        """
        rows = []
        for item in items:
            cells = [column.cell(item, now) for column in columns]
            row: dict[str, Any] = {"cells": cells}
            if include_object == "Object":
                row["object"] = item
            elif include_object != "None":
                row["object"] = {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": item["metadata"],
                }
            rows.append(row)
        return {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": dict(metadata),
            "columnDefinitions": [column.definition() for column in columns] if headers else [],
            "rows": rows,
        }
