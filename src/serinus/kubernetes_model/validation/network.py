"""Services and EndpointSlices (Kubernetes 1.36, pkg/apis/core and pkg/apis/discovery)."""

from __future__ import annotations

import ipaddress
from typing import Any

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.failures import Problem
from serinus.kubernetes_model.validation import names, numbers

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_FAMILIES = ("FQDN", "IPv4", "IPv6")
_POLICIES = ("Cluster", "Local")
_ADDRESS_WORDS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_ENDPOINTS_MAX = 1000


def check_service(service: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a Service; allocated numbers are checked where they are given."""
    spec = service["spec"]
    kind, ports = spec["type"], spec.get("ports", [])
    headless = spec.get("clusterIP") == "None"
    problems: list[Problem] = []
    if not ports and not headless and kind != "ExternalName":
        problems.append(failures.required("spec.ports"))
    if kind in {"LoadBalancer", "NodePort"} and headless:
        words = f"may not be set to 'None' for {kind} services"
        problems.append(failures.invalid("spec.clusterIPs[0]", "None", words))
    if kind == "ExternalName":
        problems += _check_external_name(spec)
    problems += _check_ports(ports)
    problems += names.check_labels(spec.get("selector", {}), "spec.selector")
    affinity = spec["sessionAffinity"]
    if affinity not in _AFFINITIES:
        problems.append(failures.not_supported("spec.sessionAffinity", affinity, _AFFINITIES))
    problems += _check_addresses(spec)
    if kind not in _TYPES:
        problems.append(failures.not_supported("spec.type", kind, _TYPES))
    problems += _check_port_numbers(ports, kind)
    for key in ("externalTrafficPolicy", "internalTrafficPolicy"):
        if key in spec and spec[key] not in _POLICIES:
            problems.append(failures.not_supported(f"spec.{key}", spec[key], _POLICIES))
    return problems


def check_service_update(new: dict[str, Any], old: dict[str, Any]) -> list[Problem]:
    """Refuse a changed cluster address."""
    spec, before = new["spec"], old["spec"]
    if "ExternalName" in {spec["type"], before["type"]}:
        return []
    address, was = spec.get("clusterIPs", []), before.get("clusterIPs", [])
    if was and address[:1] != was[:1]:
        words = "may not change once set"
        return [failures.invalid("spec.clusterIPs[0]", address, words)]
    return []


def _check_external_name(spec: dict[str, Any]) -> list[Problem]:
    problems = []
    if spec.get("clusterIPs") or spec.get("clusterIP"):
        words = "may not be set for ExternalName services"
        problems.append(failures.forbidden_field("spec.clusterIPs", words))
    name = spec.get("externalName", "").removesuffix(".")
    if not name:
        problems.append(failures.required("spec.externalName"))
    else:
        words_ = names.subdomain(name)
        problems += [failures.invalid("spec.externalName", name, w) for w in words_]
    return problems


def _check_ports(ports: list[dict[str, Any]]) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        name, protocol = port.get("name", ""), port["protocol"]
        problems += _check_port_name(name, f"{path}.name", seen, needed=len(ports) > 1)
        problems += numbers.check_port(port.get("port", 0), f"{path}.port")
        if protocol not in _PROTOCOLS:
            problems.append(failures.not_supported(f"{path}.protocol", protocol, _PROTOCOLS))
        problems += numbers.check_port_or_name(port["targetPort"], f"{path}.targetPort")
    return problems


def _check_port_numbers(ports: list[dict[str, Any]], kind: str) -> list[Problem]:
    """Refuse node ports where there are none, and numbers that are there twice."""
    problems: list[Problem] = []
    words = "may not be used when `type` is 'ClusterIP'"
    if kind == "ClusterIP":
        problems += [
            failures.forbidden_field(f"spec.ports[{index}].nodePort", words)
            for index, port in enumerate(ports)
            if port.get("nodePort")
        ]
    seen: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        key = (port.get("nodePort", 0), port["protocol"])
        if key[0] and key in seen:
            problems.append(failures.duplicate(f"spec.ports[{index}].nodePort", key[0]))
        seen.add(key)
    seen.clear()
    for index, port in enumerate(ports):
        key = (port["port"], port["protocol"])
        if key in seen:
            shown = {
                "Name": "",
                "Protocol": key[1],
                "AppProtocol": None,
                "Port": key[0],
                "TargetPort": 0,
                "NodePort": 0,
            }
            problems.append(failures.duplicate(f"spec.ports[{index}]", shown))
        seen.add(key)
    return problems


def _check_port_name(name: str, field: str, seen: set[str], *, needed: bool) -> list[Problem]:
    if not name:
        return [failures.required(field)] if needed else []
    problems = [failures.invalid(field, name, words) for words in names.label(name)]
    if name in seen:
        problems.append(failures.duplicate(field, name))
    seen.add(name)
    return problems


def _check_addresses(spec: dict[str, Any]) -> list[Problem]:
    address = spec.get("clusterIP", "")
    if address in {"", "None"} or _is_address(address):
        return []
    return [failures.invalid("spec.clusterIPs[0]", address, _ADDRESS_WORDS)]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_endpoint_slice(endpoint_slice: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with an EndpointSlice; loopback addresses are welcome here.

    A real cluster refuses them; in the sandbox pods live on them.
    """
    family = endpoint_slice.get("addressType", "")
    problems: list[Problem] = []
    if not family:
        problems.append(failures.required("addressType"))
    elif family not in _FAMILIES:
        problems.append(failures.not_supported("addressType", family, _FAMILIES))
    seen: set[str] = set()
    for index, port in enumerate(endpoint_slice.get("ports") or ()):
        path = f"ports[{index}]"
        if port["name"] in seen:
            problems.append(failures.duplicate(f"{path}.name", port["name"]))
        seen.add(port["name"])
        if port["protocol"] not in _PROTOCOLS:
            problems.append(
                failures.not_supported(f"{path}.protocol", port["protocol"], _PROTOCOLS)
            )
    endpoints = endpoint_slice.get("endpoints") or ()
    if len(endpoints) > _ENDPOINTS_MAX:
        words = f"must have at most {_ENDPOINTS_MAX} items"
        problems.append(Problem("endpoints", "FieldValueTooMany", len(endpoints), words))
    for index, endpoint in enumerate(endpoints):
        field = f"endpoints[{index}].addresses"
        addresses = endpoint.get("addresses") or ()
        if not addresses:
            problems.append(failures.required(field, "must contain at least 1 address"))
        for place, address in enumerate(addresses):
            if family != "FQDN" and not _is_address(address):
                problems.append(failures.invalid(f"{field}[{place}]", address, _ADDRESS_WORDS))
    return problems


def check_endpoint_slice_update(new: dict[str, Any], old: dict[str, Any]) -> list[Problem]:
    """Refuse a changed address family."""
    if new.get("addressType") == old.get("addressType"):
        return []
    return [failures.invalid("addressType", new.get("addressType"), "field is immutable")]
