"""Apply an installation by server-side apply, and wait for what it brings.

The same again is an upgrade: what an installation no longer has is removed, what has not changed
is not written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from serinus import errors
from serinus.clock import Clock
from serinus.errors import RefusedError
from serinus.install import policy
from serinus.install.cluster.finding import Installation
from serinus.install.kinds import BETA, INSTALLED, kind_of, shown
from serinus.install.settings import (
    CONTROLLER,
    MANAGED_BY_LABEL,
    MANAGER,
    PART_OF_LABEL,
    Manifest,
    Settings,
    labels,
)
from serinus.kube import discovery
from serinus.kube.client import Client
from serinus.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS, DEPLOYMENTS, NAMESPACES, Kind

POLL_MS: Final = 100
_ESTABLISHED_WITHIN_MS: Final = 30_000
_GONE_WITHIN_MS: Final = 60_000
# A removal takes the objects with it that an upgrade must never take.
_NEVER_PRUNED: Final = (NAMESPACES, CUSTOM_RESOURCE_DEFINITIONS)


class Done(msgspec.Struct, frozen=True):
    """What became of one object."""

    manifest: Manifest
    outcome: str


async def policy_version(client: Client) -> str | None:
    """Return the version at which a cluster obeys MutatingAdmissionPolicy; None if at none."""
    served = {
        resource.kind.version
        for resource in (await discovery.fetch(client)).resources
        if resource.kind.group == policy.GROUP
        and resource.kind.plural == "mutatingadmissionpolicies"
    }
    if "v1" in served:
        return "v1"
    if "v1beta1" not in served:
        return None
    # A beta may be served with its feature off: then policies are stored and do nothing.
    try:
        metrics = (await client.raw("GET", "/metrics")).decode()
    except errors.Forbidden:
        return None
    return None if is_off(metrics, "MutatingAdmissionPolicy") else "v1beta1"


def is_off(metrics: str, feature: str) -> bool:
    """Tell whether a component's metrics say that one of its features is switched off."""
    lines = (x for x in metrics.splitlines() if x.startswith("kubernetes_feature_enabled{"))
    return any(f'name="{feature}"' in line and line.split()[-1] == "0" for line in lines)


async def refuse(client: Client, settings: Settings, before: Installation | None) -> None:
    """Refuse what cannot work: a second controller elsewhere, a namespace that is not there.

    Raises:
        RefusedError: with what to do.
    """
    where = None if before is None else before.controller_namespace
    if settings.controller and where not in (None, settings.namespace):
        raise RefusedError(
            "InstalledElsewhere",
            f"serinus is installed in namespace {where}: upgrade it with `--namespace {where}`, or "
            "run `serinus uninstall` first",
        )
    for name in settings.watch_namespaces:
        if name != settings.namespace and await client.find(NAMESPACES, name) is None:
            raise RefusedError(
                "NoNamespace",
                f"namespace {name} is not there, and the controller's role belongs into it: "
                f"kubectl create namespace {name}",
            )


async def apply(
    client: Client,
    objects: Sequence[Manifest],
    clock: Clock,
    *,
    force: bool = False,
    dry_run: bool = False,
) -> AsyncIterator[Done]:
    """Apply the objects in their order, then remove what earlier installations had beside them.

    Raises:
        Conflict: someone else has changed a field, and `force` was not given.
    """
    absent: set[str] = set()
    for manifest in objects:
        if manifest["metadata"].get("namespace") in absent:
            yield Done(manifest, "not checked, its namespace is not there yet")
            continue
        kind, name = kind_of(manifest), manifest["metadata"]["name"]
        before = await _find_staying(client, manifest, clock)
        if kind is NAMESPACES and before is not None and not _is_ours(before):
            yield Done(manifest, "left as it is")
            continue
        if kind is NAMESPACES and before is None and dry_run:
            absent.add(name)
        after = await client.apply(
            kind, manifest, field_manager=MANAGER, force=force, dry_run=dry_run
        )
        if kind is CUSTOM_RESOURCE_DEFINITIONS and not dry_run:
            await _until_established(client, name, clock)
        yield Done(manifest, _outcome(before, after))
    async for done in _prune(client, objects, dry_run=dry_run):
        yield done


async def installed(client: Client) -> list[Manifest]:
    """Return all objects that `serinus install` has made, in the order of their application."""
    selector = ",".join(
        f"{key}={value}"
        for key, value in labels(Settings()).items()
        if key in (PART_OF_LABEL, MANAGED_BY_LABEL)
    )
    found: dict[str, Manifest] = {}
    for kind in (*INSTALLED, *BETA):
        try:
            items = (await client.list(kind, label_selector=selector)).items
        except errors.NotFound:
            # The cluster does not serve the kind.
            continue
        for item in items:
            found.setdefault(item["metadata"]["uid"], item)
    return list(found.values())


async def until_available(client: Client, namespace: str, clock: Clock, limit_ms: int) -> None:
    """Wait until all replicas of the controller are of this version and ready.

    Raises:
        RefusedError: they were not within the limit.
    """
    deadline = clock.now_ms() + limit_ms
    while True:
        found = await client.get(DEPLOYMENTS, CONTROLLER, namespace)
        spec, status = found["spec"], found.get("status", {})
        wanted = spec.get("replicas", 1)
        is_seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
        counts = (status.get("updatedReplicas", 0), status.get("availableReplicas", 0))
        if is_seen and min(counts) >= wanted and status.get("replicas", 0) == wanted:
            return
        if clock.now_ms() > deadline:
            raise RefusedError(
                "Timeout",
                f"{counts[1]} of {wanted} replicas of the controller are available; see kubectl "
                f"-n {namespace} describe pods",
            )
        await asyncio.sleep(POLL_MS / 1000)


async def _prune(
    client: Client, objects: Sequence[Manifest], *, dry_run: bool
) -> AsyncIterator[Done]:
    wanted = {_key(kind_of(manifest), manifest) for manifest in objects}
    for found in reversed(await installed(client)):
        kind = kind_of(found)
        if kind in _NEVER_PRUNED or _key(kind, found) in wanted:
            continue
        await delete(client, found, dry_run=dry_run)
        yield Done(found, "removed")


async def delete(client: Client, found: Manifest, *, dry_run: bool = False) -> None:
    """Delete an object that is still the one that was found; that it has gone is no error."""
    meta = found["metadata"]
    try:
        await client.delete(
            kind_of(found), meta["name"], meta.get("namespace"), uid=meta["uid"], dry_run=dry_run
        )
    except errors.NotFound:
        return


async def _find_staying(client: Client, manifest: Manifest, clock: Clock) -> Manifest | None:
    """Return the object as it is, or None; one that is on its way out is waited for.

    Raises:
        RefusedError: it does not go.
    """
    deadline = clock.now_ms() + _GONE_WITHIN_MS
    meta = manifest["metadata"]
    while True:
        found = await client.find(kind_of(manifest), meta["name"], meta.get("namespace"))
        if found is None or "deletionTimestamp" not in found["metadata"]:
            return found
        if clock.now_ms() > deadline:
            raise RefusedError(
                "StillGoing", f"{shown(manifest)} is being deleted and does not go: what holds it?"
            )
        await asyncio.sleep(POLL_MS / 1000)


def _key(kind: Kind, manifest: Manifest) -> tuple[str, str, str]:
    """Name an object whatever version of its kind it is spoken of in."""
    return (kind.resource, manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"])


def _is_ours(found: Manifest) -> bool:
    return (found["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL) == MANAGER


def _outcome(before: Manifest | None, after: Manifest) -> str:
    if before is None:
        return "created"
    same = before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
    return "unchanged" if same else "configured"


async def _until_established(client: Client, name: str, clock: Clock) -> None:
    deadline = clock.now_ms() + _ESTABLISHED_WITHIN_MS
    while True:
        found = await client.get(CUSTOM_RESOURCE_DEFINITIONS, name)
        conditions = found.get("status", {}).get("conditions") or []
        said = {c["type"]: (c["status"], c.get("message", "")) for c in conditions}
        if said.get("Established", ("", ""))[0] == "True":
            return
        if clock.now_ms() > deadline:
            words = said.get("NamesAccepted", ("", ""))[1]
            raise RefusedError("NotEstablished", f"{name} is not served yet: {words}")
        await asyncio.sleep(POLL_MS / 1000)
