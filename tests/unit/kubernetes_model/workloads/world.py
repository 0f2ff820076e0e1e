"""A cluster with its controllers, a clock that tests move, and Pods that do as they are told."""

from __future__ import annotations

import itertools
from typing import Any

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model import timestamps
from serinus.kubernetes_model.cluster import DEFAULT_WRITE, Cluster
from serinus.kubernetes_model.controllers import Controllers
from serinus.kubernetes_model.kinds import DEPLOYMENTS, KINDS, PODS, REPLICA_SETS, Resource
from serinus.kubernetes_model.requests import (
    DeleteOptions,
    Object,
    Propagation,
    WriteOptions,
    Written,
)
from serinus.kubernetes_model.writing.transactions import Admit

START: Instant = 1_700_000_000_000


class MoodyCluster(Cluster):
    """A cluster that refuses to create kinds for which `refused` holds an error."""

    def __init__(self, admit: Admit | None = None) -> None:
        numbers = itertools.count(1)
        super().__init__(new_id=lambda: f"uid-{next(numbers):06}", admit=admit)
        self.refused: dict[str, errors.ClusterError] = {}

    def create(
        self,
        resource: Resource,
        body: Object,
        namespace: str | None = None,
        *,
        now: Instant,
        options: WriteOptions = DEFAULT_WRITE,
        subresource: str | None = None,
        name: str | None = None,
    ) -> Written:
        if resource.kind in self.refused:
            raise self.refused[resource.kind]
        return super().create(
            resource, body, namespace, now=now, options=options, subresource=subresource, name=name
        )


class World:
    """Everything of one test."""

    def __init__(self, admit: Admit | None = None) -> None:
        self.cluster = MoodyCluster(admit)
        self.controllers = Controllers(self.cluster)
        self.now = START
        self.wake_at: Instant | None = None
        self._hosts = itertools.count(1)
        for kind, name in (("Node", "local"), ("Namespace", "default")):
            self.apply({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}})

    @property
    def refused(self) -> dict[str, errors.ClusterError]:
        """Return which kinds cannot be created now, and what is said then."""
        return self.cluster.refused

    def get(self, resource: Resource, name: str, namespace: str = "default") -> Object:
        return self.cluster.get(resource, name, _place(resource, namespace))

    def all(self, resource: Resource) -> list[Object]:
        """Return the objects of a kind in all namespaces, by name."""
        return self.cluster.list(resource).items

    def everything(self) -> list[Object]:
        return list(self.cluster.snapshot()[0])

    def apply(self, manifest: Object) -> Object:
        """Create, or replace spec and given metadata, as a user would."""
        resource = next(item for item in KINDS if item.kind == manifest["kind"])
        manifest = {"apiVersion": resource.api_version, **manifest}
        metadata = manifest["metadata"]
        space = _place(resource, metadata.get("namespace", "default"))
        try:
            old = self.cluster.get(resource, metadata["name"], space)
        except errors.NotFound:
            return self.cluster.create(resource, manifest, space, now=self.now).object
        return self.replace(
            resource, {**old, **manifest, "metadata": {**old["metadata"], **metadata}}
        )

    def replace(self, resource: Resource, obj: Object, subresource: str | None = None) -> Object:
        metadata = obj["metadata"]
        return self.cluster.replace(
            resource,
            metadata["name"],
            obj,
            metadata.get("namespace"),
            now=self.now,
            subresource=subresource,
        ).object

    def edit(self, resource: Resource, obj: Object, **metadata: Any) -> Object:
        """Change fields of an object's metadata, whatever became of it since; None removes one."""
        current = self.get(resource, obj["metadata"]["name"], obj["metadata"].get("namespace", ""))
        merged = {**current["metadata"], **metadata}
        kept = {key: value for key, value in merged.items() if value is not None}
        return self.replace(resource, {**current, "metadata": kept})

    def change(self, resource: Resource, name: str, **spec: Any) -> Object:
        """Change fields of a spec; None removes one."""
        old = self.get(resource, name)
        merged = {**old["spec"], **spec}
        kept = {key: value for key, value in merged.items() if value is not None}
        return self.replace(resource, {**old, "spec": kept})

    def relabel(self, resource: Resource, name: str, **labels: str | None) -> Object:
        """Change labels; None removes one."""
        old = self.get(resource, name)
        merged = {**(old["metadata"].get("labels") or {}), **labels}
        kept = {key: value for key, value in merged.items() if value is not None}
        return self.edit(resource, old, labels=kept)

    def delete(
        self,
        resource: Resource,
        name: str,
        propagation: Propagation | None = None,
        namespace: str = "default",
    ) -> None:
        options = DeleteOptions(propagation=propagation)
        place = _place(resource, namespace)
        self.cluster.delete(resource, name, place, now=self.now, options=options)

    def run(self) -> None:
        """Let the controllers work until they are quiet."""
        self.wake_at = self.controllers.run(self.now, max_steps=5_000)
        assert not self.controllers.pending

    def pass_time(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.run()

    def start(self, pod: Object, *, ready: bool = True) -> None:
        """Bind a Pod and report it running."""
        name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "local"},
        }
        self.cluster.create(PODS, binding, space, now=self.now, subresource="binding", name=name)
        address = f"10.244.0.{next(self._hosts)}"
        self.report(
            pod,
            phase="Running",
            podIP=address,
            podIPs=[{"ip": address}],
            conditions=[self._ready_condition(ready=ready)],
        )

    def set_ready(self, pod: Object, *, ready: bool) -> None:
        self.report(pod, conditions=[self._ready_condition(ready=ready)])

    def report(self, pod: Object, **status: Any) -> None:
        """Change fields of a Pod's status, as its node does."""
        current = self.get(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"])
        self.replace(PODS, {**current, "status": {**current["status"], **status}}, "status")

    def stop(self, pod: Object) -> None:
        """Let a Pod that is being deleted go."""
        name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
        options = DeleteOptions(grace_seconds=0)
        self.cluster.delete(PODS, name, space, now=self.now, options=options)

    def start_all(self) -> None:
        """Start what is not bound, stop what is being deleted, once."""
        for pod in self.all(PODS):
            if pod["metadata"].get("deletionTimestamp"):
                self.stop(pod)
            elif not pod["spec"].get("nodeName"):
                self.start(pod)

    def settle(self) -> None:
        """Run controllers and Pods until nothing changes any more."""
        for _ in range(200):
            self.run()
            before = self.cluster.resource_version
            self.start_all()
            if self.cluster.resource_version == before:
                return
        raise AssertionError("the world does not come to rest")

    def deployment(self, name: str = "shop") -> Object:
        return self.get(DEPLOYMENTS, name)

    def replica_sets(self) -> list[Object]:
        """Return the ReplicaSets in the order of their revisions."""
        revision = "deployment.kubernetes.io/revision"

        def order(obj: Object) -> int:
            return int((obj["metadata"].get("annotations") or {}).get(revision, 0))

        return sorted(self.all(REPLICA_SETS), key=order)

    def sizes(self) -> dict[str, int]:
        """Return image -> wanted replicas over the ReplicaSets."""
        return {image_of(item): item["spec"]["replicas"] for item in self.replica_sets()}

    def pods(self) -> list[Object]:
        return self.all(PODS)

    def _ready_condition(self, *, ready: bool) -> dict[str, Any]:
        return {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": timestamps.time(self.now),
        }


def _place(resource: Resource, namespace: str) -> str | None:
    return namespace if resource.namespaced else None


def image_of(obj: Object) -> str:
    template = obj["spec"].get("template") or obj
    return str(template["spec"]["containers"][0]["image"])


def a_deployment(name: str = "shop", *, image: str = "shop:1", **spec: Any) -> Object:
    """Return a Deployment as the API server would have defaulted it."""
    labels = {"app": "shop"}
    defaults: dict[str, Any] = {
        "replicas": 3,
        "selector": {"matchLabels": labels},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
        },
        "progressDeadlineSeconds": 600,
        "revisionHistoryLimit": 10,
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [a_container(image)]},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {**defaults, **spec},
    }


def a_container(image: str) -> dict[str, Any]:
    return {
        "name": "web",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {"tcpSocket": {"port": 8080}},
    }


def a_template(image: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "shop", **labels}},
        "spec": {"containers": [a_container(image)]},
    }


def condition(obj: Object, type_: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        (item for item in obj["status"].get("conditions") or () if item["type"] == type_), {}
    )
    return found
