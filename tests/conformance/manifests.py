"""Manifests with defaults, for cases that care about one field of many."""

from __future__ import annotations

from typing import Any

from tests.conformance.cluster import Object

STABLE_IMAGE = "shop:1"
CANARY_IMAGE = "shop:2"


def template(
    app: str = "shop", *, image: str = STABLE_IMAGE, labels: dict[str, str] | None = None
) -> Object:
    """Return a pod template with one container."""
    return {
        "metadata": {"labels": {"app": app, **(labels or {})}},
        "spec": {
            "terminationGracePeriodSeconds": 5,
            "containers": [{"name": "web", "image": image, "ports": [{"containerPort": 80}]}],
        },
    }


def deployment(
    name: str = "shop",
    *,
    image: str = STABLE_IMAGE,
    replicas: int | None = 3,
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> Object:
    """Return a Deployment whose pods carry `app: shop` (or `labels`)."""
    labels = labels or {"app": "shop"}
    body: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {
            "selector": {"matchLabels": dict(labels)},
            "template": {
                "metadata": {"labels": dict(labels)},
                "spec": template(image=image)["spec"],
            },
            **spec,
        },
    }
    if replicas is not None:
        body["spec"]["replicas"] = replicas
    return body


def replica_set(name: str = "shop-set", *, replicas: int = 2, image: str = STABLE_IMAGE) -> Object:
    """Return a ReplicaSet of its own, owned by nothing."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "labels": {"app": "shop"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": template(image=image),
        },
    }


def pod(name: str = "one", *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """Return a pod with one container."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {"app": "shop"}},
        "spec": {"containers": [{"name": "web", "image": STABLE_IMAGE}], **spec},
    }


def service(name: str = "shop", *, selector: dict[str, str] | None = None, **spec: Any) -> Object:
    """Return a Service on port 80 for `app: shop` (or `selector`)."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": selector or {"app": "shop"}, "ports": [{"port": 80}], **spec},
    }


def config_map(
    name: str = "settings", data: dict[str, str] | None = None, **metadata: Any
) -> Object:
    """Return a ConfigMap, the plainest of all kinds."""
    body: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
    }
    if data is not None:
        body["data"] = data
    return body


def owner_reference(owner: Object, **fields: Any) -> Object:
    """Return a reference to `owner`."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        **fields,
    }
