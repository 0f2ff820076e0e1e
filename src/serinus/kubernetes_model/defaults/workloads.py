"""Defaults of what makes pods (Kubernetes 1.36, pkg/apis/apps/v1/defaults.go)."""

from __future__ import annotations

from typing import Any

from serinus.kubernetes_model.defaults.pod_spec import default_template

_HISTORY_LIMIT = 10


def default_deployment(deployment: dict[str, Any]) -> None:
    """Fill in what a Deployment leaves open."""
    spec = deployment["spec"]
    spec.setdefault("replicas", 1)
    strategy = spec["strategy"]
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", _HISTORY_LIMIT)
    spec.setdefault("progressDeadlineSeconds", 600)
    default_template(spec["template"])


def default_replica_set(replica_set: dict[str, Any]) -> None:
    """Fill in what a ReplicaSet leaves open."""
    spec = replica_set["spec"]
    spec.setdefault("replicas", 1)
    if "template" in spec:
        default_template(spec["template"])


def default_stateful_set(stateful_set: dict[str, Any]) -> None:
    """Fill in what a StatefulSet leaves open."""
    spec = stateful_set["spec"]
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec["updateStrategy"]
    if "type" not in strategy:
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and "rollingUpdate" in strategy:
        strategy["rollingUpdate"].setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", _HISTORY_LIMIT)
    default_template(spec["template"])
    for claim in spec.get("volumeClaimTemplates", ()):
        claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
        claim["spec"].setdefault("volumeMode", "Filesystem")
        claim["status"].setdefault("phase", "Pending")


def default_daemon_set(daemon_set: dict[str, Any]) -> None:
    """Fill in what a DaemonSet leaves open."""
    spec = daemon_set["spec"]
    strategy = spec["updateStrategy"]
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", _HISTORY_LIMIT)
    default_template(spec["template"])
