"""What the API server fills in: one function a kind, which changes the object it is given."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any

from serinus.kubernetes_model.defaults import network, pod_spec, workloads


def _default_namespace(namespace: dict[str, Any]) -> None:
    metadata = namespace["metadata"]
    if metadata.get("name"):
        metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata["name"]
    namespace["status"].setdefault("phase", "Active")


def _default_node(node: dict[str, Any]) -> None:
    status = node["status"]
    if "capacity" in status:
        status.setdefault("allocatable", dict(status["capacity"]))


def _default_secret(secret: dict[str, Any]) -> None:
    secret.setdefault("type", "Opaque")
    plain = secret.pop("stringData", None)
    if plain:
        encoded = {
            key: binascii.b2a_base64(value.encode(), newline=False).decode()
            for key, value in plain.items()
        }
        secret["data"] = {**secret.get("data", {}), **encoded}


def _default_autoscaler(autoscaler: dict[str, Any]) -> None:
    spec = autoscaler["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def _default_binding(binding: dict[str, Any]) -> None:
    if not binding["roleRef"].get("apiGroup"):
        binding["roleRef"]["apiGroup"] = "rbac.authorization.k8s.io"
    for subject in binding.get("subjects", ()):
        if subject.get("kind") in {"User", "Group"}:
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


_BY_KIND: dict[str, Callable[[dict[str, Any]], None]] = {
    "ClusterRoleBinding": _default_binding,
    "DaemonSet": workloads.default_daemon_set,
    "Deployment": workloads.default_deployment,
    "EndpointSlice": network.default_endpoint_slice,
    "HorizontalPodAutoscaler": _default_autoscaler,
    "Namespace": _default_namespace,
    "Node": _default_node,
    "Pod": pod_spec.default_pod,
    "ReplicaSet": workloads.default_replica_set,
    "RoleBinding": _default_binding,
    "Secret": _default_secret,
    "Service": network.default_service,
    "StatefulSet": workloads.default_stateful_set,
}


def apply_defaults(kind: str, manifest: dict[str, Any]) -> None:
    """Fill in what a manifest of a built-in kind leaves open, in place."""
    default = _BY_KIND.get(kind)
    if default is not None:
        default(manifest)
