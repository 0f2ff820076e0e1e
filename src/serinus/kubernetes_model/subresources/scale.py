"""The `scale` subresource: one number of a workload as an object of its own."""

from __future__ import annotations

from typing import Any

from serinus.kubernetes_model import failures, selectors
from serinus.kubernetes_model.kinds import Resource

Manifest = dict[str, Any]


def of_object(item: Manifest) -> Manifest:
    """Return the Scale of a workload."""
    metadata = item["metadata"]
    status: Manifest = {"replicas": item["status"].get("replicas", 0)}
    selector = selectors.of_object(item["spec"].get("selector"))
    if selector is not None:
        status["selector"] = selectors.as_text(selector)
    replicas = item["spec"].get("replicas", 0)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            key: metadata[key]
            for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
            if key in metadata
        },
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def applied(resource: Resource, item: Manifest, scale: Any) -> Manifest:
    """Return the workload with the replicas of a Scale.

    Raises:
        Invalid: the Scale is none, or asks for fewer than no replicas.
    """
    if not isinstance(scale, dict) or scale.get("kind", "Scale") != "Scale":
        raise failures.bad_request("expected input object type to be Scale")
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    if type(replicas) is not int:
        raise failures.bad_request(
            "json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type "
            "int32"
        )
    given = scale.get("metadata") or {}
    metadata = item["metadata"]
    if replicas < 0:
        words = "must be greater than or equal to 0"
        kind = Resource("autoscaling", "v1", "Scale", "scales", "scale")
        problem = failures.invalid("spec.replicas", replicas, words)
        raise failures.invalid_object(kind, metadata["name"], [problem])
    if given.get("uid") and given["uid"] != metadata["uid"]:
        raise failures.conflict(
            resource,
            metadata["name"],
            f"Precondition failed: UID in precondition: {given['uid']}, "
            f"UID in object meta: {metadata['uid']}",
        )
    changed = dict(metadata)
    if given.get("resourceVersion"):
        changed["resourceVersion"] = given["resourceVersion"]
    return {**item, "metadata": changed, "spec": {**item["spec"], "replicas": replicas}}
