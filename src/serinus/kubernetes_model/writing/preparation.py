"""What single kinds do to an object before it is checked (pkg/registry/core/*/strategy.go)."""

from __future__ import annotations

import binascii
from typing import Any

from serinus.kubernetes_model import quantity


def prepare_create(kind: str, item: dict[str, Any]) -> None:
    """Set what the server decides about a new object."""
    if kind == "Pod":
        item["status"] = {"phase": "Pending", "qosClass": quality_of_service(item["spec"])}
        _admit_pod(item["spec"])
    elif kind == "Namespace":
        item["status"] = {"phase": "Active"}
        finalizers = item["spec"].setdefault("finalizers", [])
        if "kubernetes" not in finalizers:
            finalizers.append("kubernetes")
    elif kind == "Secret":
        _encode_string_data(item)


def _admit_pod(spec: dict[str, Any]) -> None:
    """Do what the plugins Priority and DefaultTolerationSeconds do to a new pod."""
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = spec.get("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(_tolerates(toleration, key) for toleration in tolerations):
            added = {
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            spec["tolerations"] = tolerations = [*tolerations, added]


def _tolerates(toleration: dict[str, Any], key: str) -> bool:
    return (
        toleration.get("key", key) == key and toleration.get("effect", "NoExecute") == "NoExecute"
    )


def prepare_update(
    kind: str, new: dict[str, Any], old: dict[str, Any], subresource: str | None
) -> None:
    """Set back what an update may not change."""
    if kind == "Namespace" and subresource is None:
        new["spec"] = old["spec"]
    elif kind == "Pod" and subresource == "status":
        new["status"].setdefault("qosClass", old["status"].get("qosClass"))
    elif kind == "Secret":
        _encode_string_data(new)


def quality_of_service(spec: dict[str, Any]) -> str:
    """Return a pod's class: Guaranteed, Burstable or BestEffort."""
    any_given = False
    guaranteed = True
    for container in [*spec.get("initContainers", ()), *(spec.get("containers") or ())]:
        resources = container.get("resources", {})
        limits, requests = _amounts(resources, "limits"), _amounts(resources, "requests")
        any_given = any_given or bool(limits or requests)
        if limits.keys() != {"cpu", "memory"} or (requests and requests != limits):
            guaranteed = False
    if not any_given:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _amounts(resources: dict[str, Any], name: str) -> dict[str, Any]:
    return {
        key: amount
        for key, value in resources.get(name, {}).items()
        if key in {"cpu", "memory"} and (amount := quantity.parse(value))
    }


def _encode_string_data(secret: dict[str, Any]) -> None:
    plain = secret.pop("stringData", None)
    if plain:
        encoded = {
            key: binascii.b2a_base64(value.encode(), newline=False).decode()
            for key, value in plain.items()
        }
        secret["data"] = {**secret.get("data", {}), **encoded}
