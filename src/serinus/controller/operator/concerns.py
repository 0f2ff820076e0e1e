"""Which releases a change of an object may matter to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec

from serinus.controller.kubernetes.caches import Caches
from serinus.controller.kubernetes.record import DATA_KEY, is_record
from serinus.kube import kinds
from serinus.kube.kinds import Kind
from serinus.kube.objects import SERVICE_NAME_LABEL
from serinus.release.render import CANARY_OF_LABEL
from serinus.traffic.plan import Manifest

Key: TypeAlias = tuple[str, str]
"""Namespace and name of a release."""


def listen(caches: Caches, concern: Callable[[Key], None]) -> None:
    """Have `concern` called with each release that a change may matter to."""

    def follow(kind: Kind, keys: Callable[[Caches, Manifest], Iterable[Key]]) -> None:
        def hear(_: str, found: Manifest) -> None:
            for key in keys(caches, found):
                concern(key)

        caches.listen(kind, hear)

    follow(kinds.CANARY_RELEASES, _of_release)
    follow(kinds.CONFIG_MAPS, _of_record)
    follow(kinds.LEASES, _of_lease)
    follow(kinds.DEPLOYMENTS, _of_deployment)
    follow(kinds.REPLICA_SETS, _of_labelled)
    follow(kinds.PODS, _of_labelled)
    follow(kinds.SERVICES, lambda c, found: _behind(c, found, found["metadata"]["name"]))
    follow(kinds.ENDPOINT_SLICES, _of_slice)
    follow(kinds.HORIZONTAL_POD_AUTOSCALERS, _of_autoscaler)


def all_keys(caches: Caches) -> set[Key]:
    """Return every release that there is a record of."""
    objects = {_key(found) for found in caches.all(kinds.CANARY_RELEASES)}
    records = {key for found in caches.all(kinds.CONFIG_MAPS) for key in _of_record(caches, found)}
    return objects | records


def _key(found: Manifest) -> Key:
    meta = found["metadata"]
    return meta["namespace"], meta["name"]


def _of_release(caches: Caches, found: Manifest) -> list[Key]:
    """Return the release and its rivals for the same Deployment."""
    target = ((found.get("spec") or {}).get("targetRef") or {}).get("name", "")
    return [_key(found), *_of_target(caches, found["metadata"]["namespace"], target)]


def _of_record(_: Caches, found: Manifest) -> list[Key]:
    """Return the release of a record in a ConfigMap, by the name in the record itself."""
    if not is_record(found):
        return []
    name = record_of(found)
    return [(found["metadata"]["namespace"], name)] if name else []


def record_of(found: Manifest) -> str:
    """Return which release a ConfigMap records, or nothing where it cannot be read."""
    try:
        body = msgspec.json.decode((found.get("data") or {}).get(DATA_KEY) or "{}")
        return str(body["metadata"]["name"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return ""


def _of_lease(_: Caches, found: Manifest) -> list[Key]:
    namespace, name = _key(found)
    return [(namespace, name.removeprefix("serinus-"))]


def _of_deployment(caches: Caches, found: Manifest) -> list[Key]:
    namespace, name = _key(found)
    owners = [o["name"] for o in found["metadata"].get("ownerReferences") or ()]
    ours = CANARY_OF_LABEL in (found["metadata"].get("labels") or {})
    names = [name, *(owners if ours else ())]
    return [key for each in names for key in _of_target(caches, namespace, each)]


def _of_labelled(caches: Caches, found: Manifest) -> list[Key]:
    """Return the releases of the Deployments that would take an object with these labels."""
    namespace, _ = _key(found)
    labels = found["metadata"].get("labels") or {}
    return [
        key
        for deployment in caches.deployments_that_take(namespace, labels)
        for key in _of_target(caches, namespace, deployment["metadata"]["name"])
    ]


def _of_slice(caches: Caches, found: Manifest) -> list[Key]:
    labels = found["metadata"].get("labels") or {}
    return _behind(caches, found, labels.get(SERVICE_NAME_LABEL, ""))


def _of_autoscaler(caches: Caches, found: Manifest) -> list[Key]:
    name = (found["spec"].get("scaleTargetRef") or {}).get("name", "")
    return _of_target(caches, found["metadata"]["namespace"], name)


def _behind(caches: Caches, found: Manifest, service: str) -> list[Key]:
    namespace = found["metadata"]["namespace"]
    return [_key(release) for release in caches.releases_behind(namespace, service)]


def _of_target(caches: Caches, namespace: str, target: str) -> list[Key]:
    return [_key(release) for release in caches.releases_of(namespace, target)]
