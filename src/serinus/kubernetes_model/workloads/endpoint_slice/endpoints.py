"""What one Pod contributes to a Service: an endpoint, and the ports under which it is reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads import pods
from serinus.kubernetes_model.workloads.objects import (
    annotations_of,
    is_being_deleted,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)

HOST_PORTS_ANNOTATION = "serinus.dev/host-ports"
"""On a Pod, JSON such as {"80": 31234}: the node let it listen on 31234 in place of 80.

The one departure from Kubernetes: Pods that are processes share the host's ports, so that a Pod
may not get the port that it declares. Slices then carry the port that it really has.
"""

Endpoint: TypeAlias = dict[str, Any]
Port: TypeAlias = dict[str, Any]


def is_endpoint(pod: Object) -> bool:
    """Say whether a Pod belongs in slices: it has an address and has not stopped for good."""
    return bool(_addresses(pod)) and not pods.is_terminal(pod)


def endpoint_of(pod: Object, service: Object, address_type: str, zone: str | None) -> Endpoint:
    """Return the endpoint of a Pod; its address list is empty in the other address family."""
    serving = pods.is_ready(pod)
    terminating = is_being_deleted(pod)
    anyhow = bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint: Endpoint = {
        "addresses": [
            address for address in _addresses(pod) if (":" in address) == (address_type == "IPv6")
        ],
        "conditions": {
            "ready": anyhow or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {
            "kind": "Pod",
            "namespace": namespace_of(pod),
            "name": name_of(pod),
            "uid": uid_of(pod),
        },
    }
    if pod["spec"].get("nodeName"):
        endpoint["nodeName"] = pod["spec"]["nodeName"]
    if zone:
        endpoint["zone"] = zone
    if pod["spec"].get("hostname") and pod["spec"].get("subdomain") == name_of(service):
        endpoint["hostname"] = pod["spec"]["hostname"]
    return endpoint


def ports_of(pod: Object, service: Object) -> list[Port]:
    """Return the ports of a Service as this Pod serves them; a name that it lacks is left out."""
    ports = []
    host_ports = _host_ports(pod)
    for wanted in service["spec"].get("ports") or ():
        number = _target_port(pod, wanted)
        if number is None:
            continue
        port: Port = {
            "name": wanted.get("name", ""),
            "port": host_ports.get(str(number), number),
            "protocol": wanted.get("protocol", "TCP"),
        }
        if wanted.get("appProtocol") is not None:
            port["appProtocol"] = wanted["appProtocol"]
        ports.append(port)
    return ports


def has_changed(before: Object, after: Object) -> bool:
    """Say whether a change of a Pod can matter to the slices of the Services that select it."""
    return any(
        _traits(before)[index] != trait for index, trait in enumerate(_traits(after))
    ) or labels_of(before) != labels_of(after)


def zone_of(node: Object) -> str | None:
    """Return the topology zone that a Node is labelled with."""
    return labels_of(node).get("topology.kubernetes.io/zone")


def _traits(pod: Object) -> tuple[object, ...]:
    return (
        is_being_deleted(pod),
        pods.is_ready(pod),
        pods.is_terminal(pod),
        _addresses(pod),
        pod["spec"].get("nodeName"),
        pod["spec"].get("hostname"),
        pod["spec"].get("subdomain"),
        annotations_of(pod).get(HOST_PORTS_ANNOTATION),
    )


def _addresses(pod: Object) -> list[str]:
    status = pod.get("status") or {}
    listed = [item["ip"] for item in status.get("podIPs") or () if item.get("ip")]
    return listed or ([status["podIP"]] if status.get("podIP") else [])


def _target_port(pod: Object, wanted: Mapping[str, Any]) -> int | None:
    target = wanted.get("targetPort", wanted["port"])
    if isinstance(target, int):
        return target
    for container in _serving_containers(pod):
        for port in container.get("ports") or ():
            same_protocol = port.get("protocol", "TCP") == wanted.get("protocol", "TCP")
            if port.get("name") == target and same_protocol:
                return int(port["containerPort"])
    return None


def _serving_containers(pod: Object) -> Sequence[Mapping[str, Any]]:
    """Return the containers, then the sidecars."""
    started_first = pod["spec"].get("initContainers") or ()
    sidecars = [item for item in started_first if item.get("restartPolicy") == "Always"]
    return [*(pod["spec"].get("containers") or ()), *sidecars]


def _host_ports(pod: Object) -> Mapping[str, int]:
    text = annotations_of(pod).get(HOST_PORTS_ANNOTATION)
    if not text:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, int])
    except msgspec.DecodeError:
        # Anyone may annotate a Pod; only what the node writes has this form.
        return {}
