"""What single kinds do to an object before it is checked (pkg/registry/core/*/strategy.go)."""

from __future__ import annotations

from typing import Any

from serinus.kubernetes_model import quantity

_WITH_NODE_PORTS = {"NodePort", "LoadBalancer"}


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
    elif kind == "Node":
        _taint(item)


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


def _taint(node: dict[str, Any]) -> None:
    """Do what the plugin TaintNodesByCondition does to a new node."""
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    node["spec"]["taints"] = [*node["spec"].get("taints", []), taint]


def _drop_ports_of_former_type(spec: dict[str, Any], old: dict[str, Any]) -> None:
    """Drop what only the former type of a Service needed, unless the user changed it too."""
    if old.get("type") in _WITH_NODE_PORTS and spec.get("type") not in _WITH_NODE_PORTS:
        numbers = {port.get("nodePort") for port in spec.get("ports", ())}
        if numbers <= {None, *(port.get("nodePort") for port in old.get("ports", ()))}:
            for port in spec.get("ports", ()):
                port.pop("nodePort", None)
        if spec.get("externalTrafficPolicy") == old.get("externalTrafficPolicy"):
            spec.pop("externalTrafficPolicy", None)
        if spec.get("type") != "LoadBalancer":
            spec.pop("allocateLoadBalancerNodePorts", None)
    if spec.get("type") == "ExternalName" and old.get("type") != "ExternalName":
        for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(key) == old.get(key):
                spec.pop(key, None)


def _tolerates(toleration: dict[str, Any], key: str) -> bool:
    names, effects = {key, None}, {"NoExecute", None}
    return toleration.get("key") in names and toleration.get("effect") in effects


def prepare_update(
    kind: str, new: dict[str, Any], old: dict[str, Any], subresource: str | None
) -> None:
    """Set back what an update may not change."""
    if kind == "Namespace" and subresource is None:
        new["spec"] = old["spec"]
    elif kind == "Pod" and subresource == "status":
        new["status"].setdefault("qosClass", old["status"].get("qosClass"))
    elif kind == "Service" and subresource is None:
        _drop_ports_of_former_type(new["spec"], old["spec"])


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
