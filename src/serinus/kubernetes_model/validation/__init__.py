"""What the API server refuses: rules by kind, each problem with its field and Kubernetes' words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serinus.kubernetes_model.failures import Problem
from serinus.kubernetes_model.validation import (
    accounts,
    autoscaling,
    names,
    network,
    pods,
    storage,
    workloads,
)

_Check = Callable[[dict[str, Any]], list[Problem]]
_UpdateCheck = Callable[[dict[str, Any], dict[str, Any]], list[Problem]]

_CREATE: dict[str, _Check] = {
    "ClusterRole": accounts.check_role,
    "ClusterRoleBinding": accounts.check_binding,
    "ConfigMap": storage.check_config_map,
    "DaemonSet": workloads.check_daemon_set,
    "Deployment": workloads.check_deployment,
    "EndpointSlice": network.check_endpoint_slice,
    "HorizontalPodAutoscaler": autoscaling.check_autoscaler,
    "Lease": storage.check_lease,
    "Pod": pods.check_pod,
    "PodDisruptionBudget": autoscaling.check_budget,
    "ReplicaSet": workloads.check_replica_set,
    "Role": accounts.check_role,
    "RoleBinding": accounts.check_binding,
    "Secret": storage.check_secret,
    "Service": network.check_service,
    "StatefulSet": workloads.check_stateful_set,
}
_UPDATE: dict[str, _UpdateCheck] = {
    "ClusterRoleBinding": accounts.check_binding_update,
    "ConfigMap": storage.check_config_map_update,
    "DaemonSet": workloads.check_selector_update,
    "Deployment": workloads.check_selector_update,
    "EndpointSlice": network.check_endpoint_slice_update,
    "Pod": pods.check_pod_update,
    "ReplicaSet": workloads.check_selector_update,
    "RoleBinding": accounts.check_binding_update,
    "Secret": storage.check_secret_update,
    "Service": network.check_service_update,
    "StatefulSet": workloads.check_stateful_set_update,
}


def check_create(kind: str, item: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a new object of a built-in kind, metadata aside."""
    check = _CREATE.get(kind)
    return check(item) if check else []


def check_update(kind: str, new: dict[str, Any], old: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a changed object of a built-in kind, metadata aside."""
    check = _UPDATE.get(kind)
    problems = check(new, old) if check else []
    # A pod's spec was checked when it was made; of it only the allowed changes remain.
    return problems if kind == "Pod" else [*check_create(kind, new), *problems]


def check_status(kind: str, item: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with an object's status."""
    return workloads.check_status(item) if kind in {"Deployment", "ReplicaSet"} else []


def name_rule(kind: str) -> Callable[[str], tuple[str, ...]]:
    """Return what judges the names of a kind's objects."""
    return _NAME_RULES.get(kind, names.subdomain)


_NAME_RULES: dict[str, Callable[[str], tuple[str, ...]]] = {
    "ClusterRole": names.path_segment,
    "ClusterRoleBinding": names.path_segment,
    "CustomResourceDefinition": names.subdomain,
    "Namespace": names.label,
    "Role": names.path_segment,
    "RoleBinding": names.path_segment,
    "Service": names.label,
    "StatefulSet": names.label,
}
