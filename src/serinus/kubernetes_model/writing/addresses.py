"""Cluster addresses and node ports of Services: given out, kept, given back.

Ranges are those of a default cluster: 10.0.0.0/24 and 30000-32767 (kube-apiserver 1.36 flags).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import xxhash

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.failures import Problem

Manifest = dict[str, Any]

SERVICE_NETWORK = "10.0.0.0/24"
NODE_PORTS = range(30000, 32768)
_WITH_NODE_PORTS = {"NodePort", "LoadBalancer"}
_HEADLESS = "None"


class ServiceAddresses:
    """What is taken, and by which Service."""

    def __init__(self, network: str = SERVICE_NETWORK) -> None:
        self._network = ipaddress.ip_network(network)
        self._owner_of_address: dict[str, str] = {}
        self._owner_of_port: dict[tuple[int, str], str] = {}
        self._held: dict[str, tuple[set[str], set[tuple[int, str]]]] = {}

    def take(self, key: str, service: Manifest | None) -> None:
        """Note what a committed Service holds; None: it is gone."""
        addresses, ports = self._held.pop(key, (set(), set()))
        for address in addresses:
            self._owner_of_address.pop(address, None)
        for port in ports:
            self._owner_of_port.pop(port, None)
        if service is None:
            return
        spec = service["spec"]
        addresses = {a for a in spec.get("clusterIPs", ()) if a != _HEADLESS}
        ports = {(n, p) for n, p in _node_ports(spec) if n}
        self._held[key] = (addresses, ports)
        self._owner_of_address.update(dict.fromkeys(addresses, key))
        self._owner_of_port.update(dict.fromkeys(ports, key))

    def allocate(self, key: str, new: Manifest, old: Manifest | None) -> list[Problem]:
        """Fill in addresses and ports of a Service that is about to be committed."""
        spec = new["spec"]
        if spec.get("type") == "ExternalName":
            return []
        problems = self._allocate_address(key, spec, old["spec"] if old else {})
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        if spec.get("type") in _WITH_NODE_PORTS:
            problems += self._allocate_ports(key, spec, old["spec"] if old else {})
        return problems

    def _allocate_address(self, key: str, spec: Manifest, before: Manifest) -> list[Problem]:
        address = spec.get("clusterIP") or next(iter(spec.get("clusterIPs", ())), "")
        if address == _HEADLESS:
            spec["clusterIP"], spec["clusterIPs"] = _HEADLESS, [_HEADLESS]
            return []
        if not address:
            address = next(self._free_addresses(key), "")
            if not address:
                raise failures.internal("failed to allocate a serviceIP: range is full")
        # What a Service has may come from a range of before; an update asks for new addresses only
        # (kubernetes v1.36.3, pkg/registry/core/service/storage/alloc.go, updateClusterIPs).
        elif address != before.get("clusterIP"):
            problem = self._address_problem(key, address)
            if problem is not None:
                return [problem]
        spec["clusterIP"], spec["clusterIPs"] = address, [address]
        return []

    def _address_problem(self, key: str, address: str) -> Problem | None:
        try:
            inside = ipaddress.ip_address(address) in self._network
        except ValueError:
            return None  # the check of the form words it
        if not inside:
            words = (
                f"failed to allocate IP {address}: the provided network does not match the current "
                "range"
            )
        elif self._owner_of_address.get(address, key) != key:
            words = f"failed to allocate IP {address}: provided IP is already allocated"
        else:
            return None
        return failures.invalid("spec.clusterIPs", [address], words)

    def _free_addresses(self, key: str) -> Iterator[str]:
        # Spread by name, so that a Service that is made again tends to keep its address.
        count = self._network.num_addresses - 2
        first = xxhash.xxh32_intdigest(key.encode()) % count
        for step in range(count):
            address = str(self._network[1 + (first + step) % count])
            if address not in self._owner_of_address:
                yield address

    def _allocate_ports(self, key: str, spec: Manifest, old: Manifest) -> list[Problem]:
        problems: list[Problem] = []
        before = {
            (port["port"], port["protocol"]): port.get("nodePort") for port in old.get("ports", ())
        }
        taken: dict[tuple[int, str], int] = {}
        for index, port in enumerate(spec.get("ports", ())):
            if not port.get("nodePort"):
                continue
            wanted = (port["nodePort"], port["protocol"])
            field = f"spec.ports[{index}].nodePort"
            kept = port["nodePort"] in before.values()
            if not kept and port["nodePort"] not in NODE_PORTS:
                words = (
                    "provided port is not in the valid range. The range of valid ports is "
                    "30000-32767"
                )
                problems.append(failures.invalid(field, port["nodePort"], words))
            elif self._owner_of_port.get(wanted, key) != key or wanted in taken:
                words = "provided port is already allocated"
                problems.append(failures.invalid(field, port["nodePort"], words))
            taken[wanted] = index
        if problems or spec.get("allocateLoadBalancerNodePorts") is False:
            return problems
        for port in spec.get("ports", ()):
            if not port.get("nodePort"):
                number = before.get((port["port"], port["protocol"]))
                port["nodePort"] = number or self._free_port(key, port, taken)
                taken[port["nodePort"], port["protocol"]] = 0
        return []

    def _free_port(self, key: str, port: Manifest, taken: dict[tuple[int, str], int]) -> int:
        count = len(NODE_PORTS)
        first = xxhash.xxh32_intdigest(f"{key}/{port['port']}/{port['protocol']}".encode()) % count
        for step in range(count):
            number = NODE_PORTS[(first + step) % count]
            wanted = (number, port["protocol"])
            if wanted not in self._owner_of_port and wanted not in taken:
                return number
        raise failures.internal("failed to allocate a nodePort: range is full")


def _node_ports(spec: Manifest) -> Iterator[tuple[int, str]]:
    for port in spec.get("ports", ()):
        yield port.get("nodePort", 0), port.get("protocol", "TCP")
