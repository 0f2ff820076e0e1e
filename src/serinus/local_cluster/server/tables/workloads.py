"""Columns of Deployments, ReplicaSets, StatefulSets and DaemonSets."""

from __future__ import annotations

from serinus.clock import Instant
from serinus.kubernetes_model import Object
from serinus.local_cluster.server.tables.columns import (
    AGE,
    NAME,
    Column,
    at,
    label_selector,
    labels,
)


def _of_containers(key: str) -> Column:
    def cell(item: Object, _now: Instant) -> str:
        containers = item["spec"]["template"]["spec"].get("containers") or ()
        return ",".join(str(container.get(key, "")) for container in containers)

    word = {"name": "Containers", "image": "Images"}[key]
    return Column(word, cell, f"{word} of the template.", priority=1)


def _selector(item: Object, _now: Instant) -> str:
    return label_selector(item["spec"].get("selector"))


def _ready_of_desired(item: Object, _now: Instant) -> str:
    ready = (item.get("status") or {}).get("readyReplicas", 0)
    return f"{ready}/{item['spec'].get('replicas', 0)}"


def _node_selector(item: Object, _now: Instant) -> str:
    return labels(item["spec"]["template"]["spec"].get("nodeSelector"))


def _count(name: str, *path: str, description: str = "") -> Column:
    return Column(name, at(*path, default=0), description, type="integer")


_CONTAINERS = _of_containers("name")
_IMAGES = _of_containers("image")
_SELECTOR = Column("Selector", _selector, "Label selector for pods.", priority=1)
_READY = Column("Ready", _ready_of_desired, "Number of the pod with ready state")

DEPLOYMENT = (
    NAME,
    _READY,
    Column("Up-to-date", at("status", "updatedReplicas", default=0), "Pods of the new template."),
    Column("Available", at("status", "availableReplicas", default=0), "Available pods."),
    AGE,
    _CONTAINERS,
    _IMAGES,
    _SELECTOR,
)
REPLICA_SET = (
    NAME,
    _count("Desired", "spec", "replicas", description="Number of desired pods."),
    _count("Current", "status", "replicas", description="Number of pods."),
    _count("Ready", "status", "readyReplicas", description="Number of ready pods."),
    AGE,
    _CONTAINERS,
    _IMAGES,
    _SELECTOR,
)
STATEFUL_SET = (NAME, _READY, AGE, _CONTAINERS, _IMAGES)
DAEMON_SET = (
    NAME,
    _count("Desired", "status", "desiredNumberScheduled"),
    _count("Current", "status", "currentNumberScheduled"),
    _count("Ready", "status", "numberReady"),
    _count("Up-to-date", "status", "updatedNumberScheduled"),
    _count("Available", "status", "numberAvailable"),
    Column("Node Selector", _node_selector, "Labels that a node must have."),
    AGE,
    _CONTAINERS,
    _IMAGES,
    _SELECTOR,
)
SCALE = (
    Column("Name", NAME.cell, NAME.description),
    _count("Desired", "spec", "replicas"),
    _count("Available", "status", "replicas"),
    AGE,
)
