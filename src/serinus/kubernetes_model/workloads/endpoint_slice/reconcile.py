"""One reconcile of a Service: write the EndpointSlices that its Pods ask for.

Follows reconciler.go of k8s.io/endpointslice 0.36.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model.requests import DeleteOptions, Object
from serinus.kubernetes_model.workloads.endpoint_slice import endpoints, packing
from serinus.kubernetes_model.workloads.endpoint_slice.packing import Changes
from serinus.kubernetes_model.workloads.objects import (
    ENDPOINT_SLICE,
    NODE,
    POD,
    SERVICE,
    Objects,
    is_being_deleted,
    is_namespace_terminating,
    labels_of,
    name_of,
    namespace_of,
    owners_of,
    reference_to,
    uid_of,
)

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
_HEADLESS_LABEL = "service.kubernetes.io/headless"
_RESERVED_LABELS = frozenset({SERVICE_NAME_LABEL, MANAGED_BY_LABEL, _HEADLESS_LABEL})


def reconcile(objects: Objects, namespace: str, name: str, now: Instant) -> Instant | None:
    """Make the slices of one Service match its Pods.

    Raises:
        Unavailable: a Pod runs on a Node that does not exist, and was left out.
    """
    del now  # Nothing about slices depends on the time.
    service = objects.get(SERVICE, namespace, name)
    if service is None or service["spec"].get("type") == "ExternalName":
        return None
    selector = service["spec"].get("selector")
    if not selector:
        return None
    selected = sorted(objects.labelled(POD, namespace, selector), key=name_of)
    known = _slices_of(objects, service)
    families = [_address_type(item) for item in service["spec"].get("ipFamilies") or ("IPv4",)]
    stale = [item for item in known if item["addressType"] not in families]
    problems: list[str] = []
    for address_type in families:
        existing = [item for item in known if item["addressType"] == address_type]
        desired = _Desired(service, address_type)
        for pod in selected:
            problem = desired.take(objects, pod)
            if problem:
                problems.append(problem)
        _write(objects, service, _changes(existing, desired))
    for item in stale:
        objects.delete(ENDPOINT_SLICE, item, DeleteOptions(uid=uid_of(item)))
    if problems:
        raise errors.Unavailable("; ".join(problems))
    return None


class _Desired:
    """What one Service wants in one address family: endpoints by their ports."""

    def __init__(self, service: Object, address_type: str) -> None:
        self.service = service
        self.address_type = address_type
        self._endpoints: dict[packing.PortsKey, list[endpoints.Endpoint]] = {}
        self._ports: dict[packing.PortsKey, list[endpoints.Port]] = {}

    def take(self, objects: Objects, pod: Object) -> str | None:
        """Take a Pod in if it belongs there; return the problem that keeps it out."""
        if not endpoints.is_endpoint(pod):
            return None
        ports = endpoints.ports_of(pod, self.service)
        key = packing.ports_key(ports)
        self._ports.setdefault(key, ports)
        gathered = self._endpoints.setdefault(key, [])
        node_name = str(pod["spec"].get("nodeName") or "")
        node = objects.get(NODE, "", node_name)
        if node is None and not self.service["spec"].get("publishNotReadyAddresses"):
            return (
                f"skipping Pod {name_of(pod)} for Service {namespace_of(pod)}/"
                f"{name_of(self.service)}: Node {node_name} Not Found"
            )
        zone = None if node is None else endpoints.zone_of(node)
        endpoint = endpoints.endpoint_of(pod, self.service, self.address_type, zone)
        if endpoint["addresses"]:
            gathered.append(endpoint)
        return None

    def groups(self) -> Iterator[tuple[packing.PortsKey, list[endpoints.Endpoint]]]:
        """Yield the endpoints that share their ports."""
        yield from self._endpoints.items()

    def blank(self, key: packing.PortsKey | None) -> Object:
        """Return an empty slice for a set of ports; None for one that only marks the place.

        An empty list is null in JSON, as it is after a way through protobuf.
        """
        ports = None if key is None else self._ports[key]
        return {
            "apiVersion": ENDPOINT_SLICE.api_version,
            "kind": ENDPOINT_SLICE.kind,
            "metadata": {
                "generateName": f"{name_of(self.service)}-",
                "namespace": namespace_of(self.service),
                "labels": _labels(self.service),
                "ownerReferences": [reference_to(SERVICE, self.service)],
            },
            "addressType": self.address_type,
            "endpoints": None,
            "ports": ports or None,
        }


def _changes(existing: Sequence[Object], desired: _Desired) -> Changes:
    changes = Changes()
    by_ports: dict[packing.PortsKey, list[Object]] = {}
    for item in existing:
        if _is_owned(item, desired.service):
            by_ports.setdefault(packing.ports_key(item.get("ports")), []).append(item)
        else:
            changes.delete.append(item)
    for key, wanted in desired.groups():
        packing.pack(by_ports.pop(key, []), wanted, desired.blank(key), changes)
    changes.delete.extend(item for items in by_ports.values() for item in items)
    if len(existing) == len(changes.delete) and not changes.create:
        _keep_place(changes, desired.blank(None))
    return changes


def _keep_place(changes: Changes, placeholder: Object) -> None:
    """Leave one empty slice where a Service has no endpoints."""
    if len(changes.delete) == 1 and _is_placeholder(changes.delete[0], placeholder):
        changes.delete.clear()
    else:
        changes.create.append(placeholder)


def _is_placeholder(item: Object, placeholder: Object) -> bool:
    return (
        not item.get("endpoints")
        and not item.get("ports")
        and owners_of(item) == owners_of(placeholder)
        and not packing.labels_differ(item, placeholder)
    )


def _write(objects: Objects, service: Object, changes: Changes) -> None:
    _reuse_names(service, changes)
    try:
        for item in () if is_being_deleted(service) else changes.create:
            objects.create(ENDPOINT_SLICE, item)
    except errors.ClusterError as error:
        if is_namespace_terminating(error):
            return
        raise
    for item in changes.update:
        objects.update(ENDPOINT_SLICE, item)
    for item in changes.delete:
        objects.delete(ENDPOINT_SLICE, item, DeleteOptions(uid=uid_of(item)))


def _reuse_names(service: Object, changes: Changes) -> None:
    """Turn pairs of a slice to delete and one to create into updates."""
    kept = []
    for item in changes.delete:
        if not changes.create or not _is_owned(item, service):
            kept.append(item)
            continue
        wanted = changes.create.pop()
        metadata = {**item["metadata"], "labels": wanted["metadata"]["labels"]}
        changes.update.append({**wanted, "metadata": metadata})
    changes.delete = kept


def _slices_of(objects: Objects, service: Object) -> list[Object]:
    labels = {SERVICE_NAME_LABEL: name_of(service), MANAGED_BY_LABEL: MANAGER}
    found: Iterable[Object] = objects.labelled(ENDPOINT_SLICE, namespace_of(service), labels)
    return sorted((item for item in found if not is_being_deleted(item)), key=name_of)


def _is_owned(item: Object, service: Object) -> bool:
    return any(
        (owner["uid"], owner["kind"], owner["apiVersion"]) == (uid_of(service), "Service", "v1")
        for owner in owners_of(item)
    )


def _labels(service: Object) -> Mapping[str, Any]:
    labels = {k: v for k, v in labels_of(service).items() if k not in _RESERVED_LABELS}
    if service["spec"].get("clusterIP") in {None, "", "None"}:
        labels[_HEADLESS_LABEL] = ""
    labels[SERVICE_NAME_LABEL] = name_of(service)
    labels[MANAGED_BY_LABEL] = MANAGER
    return labels


def _address_type(family: str) -> str:
    return family if family in {"IPv4", "IPv6"} else "IPv4"
