"""Defaults of Services, EndpointSlices (Kubernetes 1.36, pkg/apis/core and pkg/apis/discovery)."""

from __future__ import annotations

from typing import Any

_INTERNAL_TYPES = {"ClusterIP", "NodePort", "LoadBalancer"}
_EXTERNAL_TYPES = {"NodePort", "LoadBalancer"}


def default_service(service: dict[str, Any]) -> None:
    """Fill in what a Service leaves open; addresses and ports are allocated elsewhere."""
    spec = service["spec"]
    affinity = spec.setdefault("sessionAffinity", "None")
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        config = spec.get("sessionAffinityConfig", {}).get("clientIP", {})
        if config.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
    kind = spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in {None, 0, ""}:
            port["targetPort"] = port.get("port", 0)
    if kind in _EXTERNAL_TYPES or (kind == "ClusterIP" and spec.get("externalIPs")):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind in _INTERNAL_TYPES:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in service["status"].get("loadBalancer", {}).get("ingress", ()):
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")


def default_endpoint_slice(endpoint_slice: dict[str, Any]) -> None:
    """Fill in names and protocols of ports."""
    for port in endpoint_slice.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")
