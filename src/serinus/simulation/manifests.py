"""The user's objects, as she writes them."""

from __future__ import annotations

from typing import Any

from serinus.simulation.example import NAME, Example
from serinus.traffic.plan import Manifest


def image_of(found: Manifest) -> str:
    """Return the image of a pod, or of a template's pods."""
    spec = (found["spec"].get("template") or found)["spec"]
    return str(spec["containers"][0]["image"])


def a_container(image: str) -> dict[str, Any]:
    """Return the one container of a pod."""
    return {"name": "web", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}


def a_template(image: str) -> dict[str, Any]:
    """Return what a Deployment makes its pods from."""
    return {
        "metadata": {"labels": {"app": NAME}},
        "spec": {"containers": [a_container(image)]},
    }


def a_deployment(example: Example, image: str, replica_count: int | None = None) -> dict[str, Any]:
    """Return the user's Deployment."""
    surge = {"maxSurge": 1, "maxUnavailable": 0}
    if not example.surge:
        surge = {"maxSurge": 0, "maxUnavailable": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {
            "replicas": example.replica_count if replica_count is None else replica_count,
            "selector": {"matchLabels": {"app": NAME}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": surge},
            "template": a_template(image),
        },
    }


def a_service() -> dict[str, Any]:
    """Return the user's Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        "spec": {"selector": {"app": NAME}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
