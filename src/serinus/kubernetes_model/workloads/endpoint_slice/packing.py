"""Fit endpoints into slices of at most a hundred, touching as few slices as can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads.endpoint_slice.endpoints import Endpoint, Port
from serinus.kubernetes_model.workloads.objects import name_of

ENDPOINTS_MAX = 100
PortsKey: TypeAlias = bytes


class Changes:
    """Slices to write: `create` holds new ones (yet without a name)."""

    def __init__(self) -> None:
        self.create: list[Object] = []
        self.update: list[Object] = []
        self.delete: list[Object] = []


def ports_key(ports: Iterable[Port] | None) -> PortsKey:
    """Return what is equal for the same ports in any order."""
    encoded = sorted(msgspec.json.encode(port, order="deterministic") for port in ports or ())
    return b",".join(encoded)


def pack(
    existing: Sequence[Object],
    desired: Sequence[Endpoint],
    blank: Object,
    changes: Changes,
) -> None:
    """Note what has to be written so that slices of one set of ports hold just `desired`.

    `blank` is an empty slice with the right labels, ports and owner.
    """
    left = {endpoint_key(endpoint): endpoint for endpoint in desired}
    touched: dict[str, Object] = {}
    untouched: dict[str, Object] = {}
    for current in existing:
        kept, same = _keep(current, left)
        if not same and not kept:
            changes.delete.append(current)
        elif not same or labels_differ(current, blank):
            touched[name_of(current)] = _with_contents(current, kept, blank)
        else:
            untouched[name_of(current)] = current
    for current in sorted(touched.values(), key=_size, reverse=True):
        _fill(current, left)
    while left:
        target = _slice_to_fill(untouched, len(left))
        if target is None:
            target = {**blank, "endpoints": []}
            changes.create.append(target)
        else:
            del untouched[name_of(target)]
            target = _with_contents(target, target.get("endpoints") or (), blank)
            touched[name_of(target)] = target
        _fill(target, left)
    changes.update.extend(touched.values())


def endpoint_key(endpoint: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what identifies an endpoint; all else may be updated in place."""
    target = endpoint.get("targetRef") or {}
    addresses = tuple(sorted(endpoint["addresses"]))
    return addresses, endpoint.get("hostname"), target.get("namespace"), target.get("name")


def labels_differ(current: Object, blank: Object) -> bool:
    """Say whether a slice lacks labels that it should have, or has others."""
    return bool(current["metadata"].get("labels") != blank["metadata"]["labels"])


def _keep(current: Object, left: dict[tuple[object, ...], Endpoint]) -> tuple[list[Endpoint], bool]:
    """Take the endpoints that a slice may keep out of `left`; say whether all stay as they are."""
    kept = []
    same = True
    for endpoint in current.get("endpoints") or ():
        wanted = left.pop(endpoint_key(endpoint), None)
        if wanted is None:
            same = False
            continue
        kept.append(wanted)
        same = same and _state(wanted) == _state(endpoint)
    return kept, same


def _state(endpoint: Mapping[str, Any]) -> tuple[object, ...]:
    target = {k: v for k, v in (endpoint.get("targetRef") or {}).items() if k != "resourceVersion"}
    return endpoint.get("nodeName"), endpoint.get("zone"), endpoint.get("conditions"), target


def _with_contents(current: Object, endpoints: Iterable[Endpoint], blank: Object) -> Object:
    metadata = {**current["metadata"], "labels": blank["metadata"]["labels"]}
    return {**current, "metadata": metadata, "endpoints": list(endpoints)}


def _size(current: Object) -> int:
    return len(current.get("endpoints") or ())


def _fill(target: Object, left: dict[tuple[object, ...], Endpoint]) -> None:
    contents: list[Endpoint] = target["endpoints"]
    while left and len(contents) < ENDPOINTS_MAX:
        contents.append(left.pop(next(iter(left))))


def _slice_to_fill(untouched: Mapping[str, Object], count: int) -> Object | None:
    """Return the slice that would be fullest after it took in all that is left."""
    fitting = [item for item in untouched.values() if _size(item) + count <= ENDPOINTS_MAX]
    return max(fitting, key=_size, default=None)
