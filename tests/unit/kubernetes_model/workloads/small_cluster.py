"""A store with just enough of an API server for controllers, and a node that says what Pods do.

The rules of the real API server are tested with `Cluster`; here only the controllers are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model import timestamps
from serinus.kubernetes_model.controllers import Controllers
from serinus.kubernetes_model.kinds import (
    DEPLOYMENTS,
    KINDS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    Resource,
)
from serinus.kubernetes_model.requests import (
    Change,
    ChangeType,
    DeleteOptions,
    Object,
    Propagation,
    WriteOptions,
    Written,
)

START: Instant = 1_700_000_000_000


class SmallCluster:
    """Objects by name with uid, resourceVersion, generation, finalizers and graceful Pods."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], tuple[Resource, Object]] = {}
        self.on_change: list[Callable[[Change], None]] = []
        self.refused: dict[str, errors.ClusterError] = {}
        self.resources: tuple[Resource, ...] = KINDS
        self._versions = itertools.count(1)
        self._ids = itertools.count(1)

    def snapshot(self) -> tuple[Sequence[Object], int]:
        return [obj for _, obj in self.objects.values()], 0

    def get(self, resource: Resource, name: str, namespace: str = "default") -> Object:
        space = namespace if resource.namespaced else ""
        try:
            return self.objects[resource.kind, space, name][1]
        except KeyError:
            raise errors.NotFound(f'{resource.qualified_name} "{name}" not found') from None

    def all(self, resource: Resource) -> list[Object]:
        found = [obj for kind, obj in self.objects.values() if kind == resource]
        return sorted(found, key=lambda obj: str(obj["metadata"]["name"]))

    def create(
        self,
        resource: Resource,
        body: Object,
        namespace: str | None = None,
        *,
        now: Instant,
        options: WriteOptions | None = None,
    ) -> Written:
        del options
        if resource.kind in self.refused:
            raise self.refused[resource.kind]
        self._refuse_in_terminating_namespace(resource, namespace)
        number = next(self._ids)
        metadata = {
            **body["metadata"],
            "uid": f"uid-{number:05}",
            "creationTimestamp": timestamps.time(now),
            "generation": 1,
        }
        metadata.setdefault("name", f"{metadata.get('generateName')}{number:05}")
        if resource.namespaced:
            metadata["namespace"] = namespace or "default"
        key = (resource.kind, metadata.get("namespace", ""), metadata["name"])
        if key in self.objects:
            raise errors.AlreadyExists(f'{resource.qualified_name} "{key[2]}" already exists')
        return Written(self._put(resource, {**body, "metadata": metadata}))

    def replace(
        self,
        resource: Resource,
        name: str,
        body: Object,
        namespace: str | None = None,
        *,
        now: Instant,
        options: WriteOptions | None = None,
        subresource: str | None = None,
    ) -> Written:
        del now, options
        old = self.get(resource, name, namespace or "")
        if body["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            raise errors.Conflict(f'{resource.qualified_name} "{name}" has been modified')
        if subresource == "status":
            new = {**old, "status": body.get("status", {}), "metadata": {**body["metadata"]}}
        else:
            new = {**body, "metadata": {**body["metadata"]}}
            if "status" in old:
                new["status"] = old["status"]
            if body.get("spec") != old.get("spec"):
                new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        if new == old:
            return Written(old)
        return Written(self._settle(resource, new))

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        now: Instant,
        options: DeleteOptions | None = None,
    ) -> Written:
        options = options or DeleteOptions()
        old = self.get(resource, name, namespace or "")
        if options.uid not in {None, old["metadata"]["uid"]}:
            raise errors.Conflict(f'{resource.qualified_name} "{name}" has another uid')
        if options.resource_version not in {None, old["metadata"]["resourceVersion"]}:
            raise errors.Conflict(f'{resource.qualified_name} "{name}" has been modified')
        metadata = {**old["metadata"]}
        finalizers = [
            item
            for item in metadata.get("finalizers") or ()
            if item not in {"orphan", "foregroundDeletion"}
        ]
        if options.propagation is Propagation.ORPHAN:
            finalizers.append("orphan")
        elif options.propagation is Propagation.FOREGROUND:
            finalizers.append("foregroundDeletion")
        metadata["finalizers"] = finalizers
        metadata.setdefault("deletionTimestamp", timestamps.time(now))
        metadata["deletionGracePeriodSeconds"] = 0
        if resource == PODS and old["spec"].get("nodeName") and options.grace_seconds != 0:
            metadata["deletionGracePeriodSeconds"] = 30
        return Written(self._settle(resource, {**old, "metadata": metadata}))

    def _refuse_in_terminating_namespace(self, resource: Resource, namespace: str | None) -> None:
        around = self.objects.get(("Namespace", "", namespace or "default"))
        if not resource.namespaced or around is None:
            return
        if around[1]["metadata"].get("deletionTimestamp"):
            raise errors.Forbidden(
                f"unable to create new content in namespace {namespace}: it is being terminated",
                details={"causes": [{"reason": "NamespaceTerminating"}]},
            )

    def _settle(self, resource: Resource, obj: Object) -> Object:
        metadata = obj["metadata"]
        held = (
            metadata.get("finalizers")
            or metadata.get("deletionGracePeriodSeconds")
            or (resource == NAMESPACES and obj["spec"].get("finalizers"))
        )
        if not metadata.get("deletionTimestamp") or held:
            return self._put(resource, obj)
        key = (resource.kind, metadata.get("namespace", ""), metadata["name"])
        _, old = self.objects.pop(key)
        self._tell(ChangeType.DELETED, resource, obj, old)
        return obj

    def _put(self, resource: Resource, obj: Object) -> Object:
        metadata = {**obj["metadata"], "resourceVersion": str(next(self._versions))}
        new = {**obj, "metadata": metadata, "apiVersion": resource.api_version}
        new["kind"] = resource.kind
        key = (resource.kind, metadata.get("namespace", ""), metadata["name"])
        known = self.objects.get(key)
        self.objects[key] = (resource, new)
        old = None if known is None else known[1]
        type_ = ChangeType.ADDED if old is None else ChangeType.MODIFIED
        self._tell(type_, resource, new, old)
        return new

    def _tell(
        self, type_: ChangeType, resource: Resource, obj: Object, previous: Object | None
    ) -> None:
        version = int(obj["metadata"]["resourceVersion"])
        for listener in list(self.on_change):
            listener(Change(type_, resource, obj, previous, version))


class World:
    """A cluster with its controllers, a clock that tests move, and Pods that do as told."""

    def __init__(self) -> None:
        self.cluster = SmallCluster()
        self.controllers = Controllers(self.cluster)
        self.now = START
        self.wake_at: Instant | None = None
        self._hosts = itertools.count(1)
        self.apply({"kind": "Node", "metadata": {"name": "local"}, "spec": {}})
        self.apply({"kind": "Namespace", "metadata": {"name": "default"}, "spec": {}})

    def apply(self, manifest: Object) -> Object:
        """Create, or replace spec and given metadata, as a user would."""
        resource = next(item for item in KINDS if item.kind == manifest["kind"])
        metadata = manifest["metadata"]
        space = metadata.get("namespace", "default")
        try:
            old = self.cluster.get(resource, metadata["name"], space)
        except errors.NotFound:
            return self.cluster.create(resource, manifest, space, now=self.now).object
        new = {**old, **manifest, "metadata": {**old["metadata"], **metadata}}
        return self.cluster.replace(resource, metadata["name"], new, space, now=self.now).object

    def change(self, resource: Resource, name: str, **spec: Any) -> Object:
        """Change fields of a spec; None removes one."""
        old = self.cluster.get(resource, name)
        merged = {**old["spec"], **spec}
        new = {**old, "spec": {k: v for k, v in merged.items() if v is not None}}
        return self.cluster.replace(resource, name, new, "default", now=self.now).object

    def relabel(self, resource: Resource, name: str, **labels: str | None) -> Object:
        """Change labels; None removes one."""
        space = "default" if resource.namespaced else ""
        old = self.cluster.get(resource, name, space)
        merged = {**(old["metadata"].get("labels") or {}), **labels}
        kept = {k: v for k, v in merged.items() if v is not None}
        new = {**old, "metadata": {**old["metadata"], "labels": kept}}
        return self.cluster.replace(resource, name, new, space, now=self.now).object

    def delete(self, resource: Resource, name: str, propagation: Propagation | None = None) -> None:
        options = DeleteOptions(propagation=propagation)
        self.cluster.delete(resource, name, "default", now=self.now, options=options)

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
        host = next(self._hosts)
        bound = {**pod, "spec": {**pod["spec"], "nodeName": "local"}}
        bound = self.cluster.replace(PODS, name, bound, space, now=self.now).object
        status = {
            "phase": "Running",
            "podIP": f"10.244.0.{host}",
            "podIPs": [{"ip": f"10.244.0.{host}"}],
        }
        self._report(bound, {**status, "conditions": [self._ready_condition(ready=ready)]})

    def set_ready(self, pod: Object, *, ready: bool) -> None:
        current = self.cluster.get(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"])
        condition = self._ready_condition(ready=ready)
        self._report(current, {**current["status"], "conditions": [condition]})

    def stop(self, pod: Object) -> None:
        """Let a Pod that is being deleted go."""
        name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
        options = DeleteOptions(grace_seconds=0)
        self.cluster.delete(PODS, name, space, now=self.now, options=options)

    def start_all(self) -> None:
        """Start what is not bound, stop what is being deleted, once."""
        for pod in self.cluster.all(PODS):
            if pod["metadata"].get("deletionTimestamp"):
                self.stop(pod)
            elif not pod["spec"].get("nodeName"):
                self.start(pod)

    def settle(self) -> None:
        """Run controllers and Pods until nothing changes any more."""
        for _ in range(200):
            self.run()
            before = self.cluster.snapshot()[0]
            self.start_all()
            if self.cluster.snapshot()[0] == before:
                return
        raise AssertionError("the world does not come to rest")

    def _report(self, pod: Object, status: dict[str, Any]) -> None:
        name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
        new = {**pod, "status": status}
        self.cluster.replace(PODS, name, new, space, now=self.now, subresource="status")

    def _ready_condition(self, *, ready: bool) -> dict[str, Any]:
        return {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": timestamps.time(self.now),
        }

    def deployment(self, name: str = "shop") -> Object:
        return self.cluster.get(DEPLOYMENTS, name)

    def replica_sets(self) -> list[Object]:
        """Return the ReplicaSets in the order of their revisions."""
        revision = "deployment.kubernetes.io/revision"

        def order(obj: Object) -> int:
            return int((obj["metadata"].get("annotations") or {}).get(revision, 0))

        return sorted(self.cluster.all(REPLICA_SETS), key=order)

    def sizes(self) -> dict[str, int]:
        """Return image -> wanted replicas over the ReplicaSets."""
        return {image_of(item): item["spec"]["replicas"] for item in self.replica_sets()}

    def pods(self) -> list[Object]:
        return self.cluster.all(PODS)


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
