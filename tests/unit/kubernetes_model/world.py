"""A cluster with a namespace, and manifests for it."""

from __future__ import annotations

import itertools
from typing import Any

from serinus.kubernetes_model import (
    Cluster,
    DeleteOptions,
    Object,
    PatchType,
    Resource,
    WriteOptions,
    Written,
    bootstrap,
    kinds,
)

NOW = 1_800_000_000_000
NAMESPACE = "default"


class World:
    """A cluster on a clock that moves a second with each write."""

    def __init__(self, **options: Any) -> None:
        numbers = itertools.count(1)
        self.cluster = Cluster(
            new_id=lambda: f"00000000-0000-4000-8000-{next(numbers):012d}", **options
        )
        self.now = NOW
        bootstrap.populate(self.cluster, self.now)

    def create(self, resource: Resource, body: Object, **options: Any) -> Object:
        return self.write(resource, body, **options).object

    def write(self, resource: Resource, body: Object, **options: Any) -> Written:
        self.now += 1000
        where = NAMESPACE if resource.namespaced else None
        named = WriteOptions(**options)
        return self.cluster.create(resource, body, where, now=self.now, options=named)

    def get(self, resource: Resource, name: str) -> Object:
        return self.cluster.get(resource, name, NAMESPACE if resource.namespaced else None)

    def replace(
        self, resource: Resource, body: Object, subresource: str | None = None, **options: Any
    ) -> Written:
        self.now += 1000
        return self.cluster.replace(
            resource,
            body["metadata"]["name"],
            body,
            NAMESPACE if resource.namespaced else None,
            now=self.now,
            options=WriteOptions(**options),
            subresource=subresource,
        )

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        kind: PatchType = PatchType.MERGE,
        *,
        subresource: str | None = None,
        **options: Any,
    ) -> Written:
        self.now += 1000
        return self.cluster.patch(
            resource,
            name,
            patch,
            NAMESPACE if resource.namespaced else None,
            patch_type=kind,
            now=self.now,
            options=WriteOptions(**options),
            subresource=subresource,
        )

    def apply(self, resource: Resource, body: Object, manager: str, **options: Any) -> Written:
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        name = body["metadata"]["name"]
        return self.patch(resource, name, whole, PatchType.APPLY, field_manager=manager, **options)

    def delete(self, resource: Resource, name: str, **options: Any) -> Written:
        self.now += 1000
        return self.cluster.delete(
            resource,
            name,
            NAMESPACE if resource.namespaced else None,
            now=self.now,
            options=DeleteOptions(**options),
        )

    def exists(self, resource: Resource, name: str) -> bool:
        items = self.cluster.list(resource).items
        return any(item["metadata"]["name"] == name for item in items)


def deployment(name: str = "shop", **spec: Any) -> Object:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.7.9"}]},
    }
    return {
        "metadata": {"name": name},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


def pod(name: str = "web", **spec: Any) -> Object:
    container = {"name": "web", "image": "nginx:1.7.9"}
    return {
        "metadata": {"name": name, "labels": {"app": "shop"}},
        "spec": {"containers": [container], **spec},
    }


def service(name: str = "shop", **spec: Any) -> Object:
    body = {"selector": {"app": "shop"}, "ports": [{"port": 80}], **spec}
    return {"metadata": {"name": name}, "spec": body}


def config_map(name: str = "settings", **data: str) -> Object:
    return {"metadata": {"name": name}, "data": data}


def managers(item: Object) -> dict[tuple[str, str], Any]:
    """Return what each manager owns."""
    entries = item["metadata"].get("managedFields", [])
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in entries}


DEPLOYMENTS, PODS, SERVICES = kinds.DEPLOYMENTS, kinds.PODS, kinds.SERVICES
CONFIG_MAPS = kinds.CONFIG_MAPS
