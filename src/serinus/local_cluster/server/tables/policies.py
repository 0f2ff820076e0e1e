"""Columns of EndpointSlices, Leases, autoscalers, disruption budgets and role bindings."""

from __future__ import annotations

from typing import Any

from serinus.clock import Instant
from serinus.kubernetes_model import Object
from serinus.local_cluster.server.tables.columns import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    Column,
    at,
    first_few,
)

_SHOWN_MAX = 3


def _slice_ports(item: Object, _now: Instant) -> str:
    ports = [
        str(port["port"] if port.get("port") is not None else port.get("name", "*"))
        for port in item.get("ports") or ()
    ]
    return first_few(ports, _SHOWN_MAX)


def _slice_addresses(item: Object, _now: Instant) -> str:
    endpoints = item.get("endpoints") or ()
    return first_few([a for e in endpoints for a in e.get("addresses") or ()], _SHOWN_MAX)


ENDPOINT_SLICE = (
    NAME,
    Column("AddressType", at("addressType", default=""), "Type of the addresses."),
    Column("Ports", _slice_ports, "The ports of each endpoint."),
    Column("Endpoints", _slice_addresses, "The endpoints."),
    AGE,
)

LEASE = (NAME, Column("Holder", at("spec", "holderIdentity", default=""), "Who holds it."), AGE)

POD_DISRUPTION_BUDGET = (
    NAME,
    Column("Min Available", lambda i, _now: str(i["spec"].get("minAvailable", "N/A"))),
    Column("Max Unavailable", lambda i, _now: str(i["spec"].get("maxUnavailable", "N/A"))),
    Column("Allowed Disruptions", at("status", "disruptionsAllowed", default=0), type="integer"),
    AGE,
)


def _reference(item: Object, _now: Instant) -> str:
    target = item["spec"].get("scaleTargetRef") or {}
    return f"{target.get('kind', '')}/{target.get('name', '')}"


def _targets(item: Object, _now: Instant) -> str:
    specs = item["spec"].get("metrics") or ()
    statuses = (item.get("status") or {}).get("currentMetrics") or ()
    texts = [
        _target(spec, statuses[index] if index < len(statuses) else {})
        for index, spec in enumerate(specs)
    ]
    if len(texts) > 2:
        return f"{', '.join(texts[:2])} + {len(texts) - 2} more..."
    return ", ".join(texts) or NONE


def _target(spec: dict[str, Any], status: dict[str, Any]) -> str:
    key = str(spec["type"])[:1].lower() + str(spec["type"])[1:]
    wanted = (spec.get(key) or {}).get("target") or {}
    current = (status.get(key) or {}).get("current") or {}
    is_resource = key in {"resource", "containerResource"}
    label = f"{spec[key]['name']}: " if is_resource else ""
    if wanted.get("averageValue") is not None:
        mark = "" if is_resource or key == "pods" else " (avg)"
        return f"{label}{current.get('averageValue', UNKNOWN)}/{wanted['averageValue']}{mark}"
    if is_resource:
        goal = wanted.get("averageUtilization")
        now = current.get("averageUtilization")
        shown = "<auto>" if goal is None else f"{goal}%"
        return f"{label}{UNKNOWN if now is None else f'{now}%'}/{shown}"
    return f"{current.get('value', UNKNOWN)}/{wanted.get('value', '')}"


HORIZONTAL_POD_AUTOSCALER = (
    NAME,
    Column("Reference", _reference, "What is scaled."),
    Column("Targets", _targets, "Measured and wanted."),
    Column("MinPods", lambda i, _now: str(i["spec"].get("minReplicas", "<unset>"))),
    Column("MaxPods", at("spec", "maxReplicas", default=0)),
    Column("Replicas", at("status", "currentReplicas", default=0)),
    AGE,
)


def _subjects(kind: str, head: str) -> Column:
    def cell(item: Object, _now: Instant) -> str:
        found = [s for s in item.get("subjects") or () if s.get("kind") == kind]
        if kind == "ServiceAccount":
            return ", ".join(f"{s.get('namespace', '')}/{s['name']}" for s in found)
        return ", ".join(s["name"] for s in found)

    return Column(head, cell, f"{head} in the binding.", priority=1)


def _role(item: Object, _now: Instant) -> str:
    reference = item.get("roleRef") or {}
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


ROLE_BINDING = (
    NAME,
    Column("Role", _role, "The role that is bound."),
    AGE,
    _subjects("User", "Users"),
    _subjects("Group", "Groups"),
    _subjects("ServiceAccount", "ServiceAccounts"),
)
