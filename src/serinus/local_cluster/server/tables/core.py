"""Columns of Services, Nodes, Namespaces, Events and of what pods read."""

from __future__ import annotations

from typing import Any

from serinus.clock import Instant
from serinus.kubernetes_model import Object
from serinus.local_cluster.server.tables.columns import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    Cell,
    Column,
    at,
    labels,
    since,
)


def _cluster_ip(service: Object, _now: Instant) -> str:
    addresses = service["spec"].get("clusterIPs") or ()
    return str(addresses[0]) if addresses else NONE


def _external_ip(service: Object, _now: Instant) -> str:
    spec = service["spec"]
    fixed = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") == "LoadBalancer":
        balancer = (service.get("status") or {}).get("loadBalancer") or {}
        given = [i.get("ip") or i.get("hostname", "") for i in balancer.get("ingress") or ()]
        return ",".join([*given, *fixed]) or "<pending>"
    return ",".join(fixed) or NONE


def _ports(service: Object, _now: Instant) -> str:
    parts = []
    for port in service["spec"].get("ports") or ():
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        parts.append(f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}")
    return ",".join(parts) or NONE


SERVICE = (
    NAME,
    Column("Type", at("spec", "type", default=""), "How the Service is exposed."),
    Column("Cluster-IP", _cluster_ip, "The address of the Service."),
    Column("External-IP", _external_ip, "Addresses outside the cluster."),
    Column("Port(s)", _ports, "The ports that the Service exposes."),
    AGE,
    Column(
        "Selector",
        lambda service, _now: labels(service["spec"].get("selector")),
        "Labels of the pods behind the Service.",
        priority=1,
    ),
)


def _node_status(node: Object, _now: Instant) -> str:
    words = [
        "Ready" if condition.get("status") == "True" else "NotReady"
        for condition in (node.get("status") or {}).get("conditions") or ()
        if condition["type"] == "Ready"
    ] or ["Unknown"]
    if node["spec"].get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _node_roles(node: Object, _now: Instant) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = set()
    for key, value in (node["metadata"].get("labels") or {}).items():
        if key.startswith(prefix) and len(key) > len(prefix):
            roles.add(key.removeprefix(prefix))
        elif key == "kubernetes.io/role" and value:
            roles.add(value)
    return ",".join(sorted(roles)) or NONE


def _node_address(type_: str) -> Column:
    def cell(node: Object, _now: Instant) -> str:
        for address in (node.get("status") or {}).get("addresses") or ():
            if address["type"] == type_:
                return str(address["address"])
        return NONE

    return Column(type_.replace("IP", "-IP"), cell, "Addresses of the node.", priority=1)


def _kernel(node: Object, _now: Instant) -> str:
    info: dict[str, Any] = (node.get("status") or {}).get("nodeInfo") or {}
    architecture = info.get("architecture")
    version = info.get("kernelVersion") or UNKNOWN
    return f"{version} ({architecture})" if architecture else str(version)


def _node_info(key: str) -> Any:
    def cell(node: Object, _now: Instant) -> str:
        info = (node.get("status") or {}).get("nodeInfo") or {}
        return info.get(key) or UNKNOWN

    return cell


NODE = (
    NAME,
    Column("Status", _node_status, "The status of the node"),
    Column("Roles", _node_roles, "The roles of the node"),
    AGE,
    Column("Version", at("status", "nodeInfo", "kubeletVersion", default=""), "Node agent."),
    _node_address("InternalIP"),
    _node_address("ExternalIP"),
    Column("OS-Image", _node_info("osImage"), priority=1),
    Column("Kernel-Version", _kernel, priority=1),
    Column("Container-Runtime", _node_info("containerRuntimeVersion"), priority=1),
)

NAMESPACE = (NAME, Column("Status", at("status", "phase", default=""), "Phase."), AGE)


def _data_count(item: Object, _now: Instant) -> int:
    return len(item.get("data") or ()) + len(item.get("binaryData") or ())


_DATA = Column("Data", _data_count, "Number of entries.")
CONFIG_MAP = (NAME, _DATA, AGE)
SECRET = (NAME, Column("Type", at("type", default=""), "Kind of secret."), _DATA, AGE)
SERVICE_ACCOUNT = (NAME, AGE)


def _first_seen(event: Object, now: Instant) -> str:
    return since(event.get("firstTimestamp") or event.get("eventTime"), now)


def _last_seen(event: Object, now: Instant) -> str:
    if event.get("series"):
        return since(event["series"].get("lastObservedTime"), now)
    last = event.get("lastTimestamp")
    return since(last, now) if last else _first_seen(event, now)


def _event_count(event: Object, _now: Instant) -> Cell:
    if event.get("series"):
        return int(event["series"].get("count", 0))
    return event.get("count") or 1


def _event_object(event: Object, _now: Instant) -> str:
    about = event.get("involvedObject") or event.get("regarding") or {}
    kind = str(about.get("kind", "")).lower()
    return f"{kind}/{about['name']}" if about.get("name") else kind


def _event_source(event: Object, _now: Instant) -> str:
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent", "")
    host = source.get("host") or event.get("reportingInstance", "")
    return f"{component}, {host}" if host else str(component)


def _message(event: Object, _now: Instant) -> str:
    # `note` is the same field in events.k8s.io/v1.
    return str(event.get("message") or event.get("note") or "").strip()


EVENT = (
    Column("Last Seen", _last_seen, "When it was last observed."),
    Column("Type", at("type", default=""), "Normal or Warning."),
    Column("Reason", at("reason", default=""), "Why it happened, in one word."),
    Column("Object", _event_object, "What it is about."),
    Column("Subobject", at("involvedObject", "fieldPath", default=""), priority=1),
    Column("Source", _event_source, "Who reported it.", priority=1),
    Column("Message", _message, "What happened."),
    Column("First Seen", _first_seen, priority=1),
    Column("Count", _event_count, "How often it happened.", priority=1),
    Column("Name", NAME.cell, NAME.description, format="name", priority=1),
)
