"""Who drives a release: an operator, to whom a command line only gives verbs, or a command line."""

from __future__ import annotations

import contextlib

import msgspec

from serinus import errors
from serinus.clock import Instant
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.kubernetes.record import record_name
from serinus.kube import kinds, timestamps
from serinus.kube.client import Client
from serinus.kube.lease import read_record

OPERATOR_LEASE = "serinus-controller"
OPERATOR_NAMESPACE = "serinus-system"
NAMESPACE_ANNOTATION = "serinus.dev/controller-namespace"
"""On the definition of CanaryRelease: where the operator holds its Lease."""
VERSION_ANNOTATION = "serinus.dev/version"
"""On the Lease of the operator: the version of serinus that leads."""
DEFINITION = "canaryreleases.serinus.dev"


class Driver(msgspec.Struct, frozen=True):
    """Who drives releases, in words; `version` is None where it could not be asked for."""

    words: str
    version: str | None = None


async def operator(caches: Caches, namespace: str, now: Instant) -> Driver | None:
    """Return which operator drives the releases of a namespace, or None.

    Where we may not read its Lease but there is a definition that names one, it counts as there:
    two drivers would do no harm, but would get in each other's way.
    """
    if not caches.has(kinds.CANARY_RELEASES):
        return None
    for place in dict.fromkeys((namespace, await _home(caches.client))):
        try:
            found = await caches.client.find(kinds.LEASES, OPERATOR_LEASE, place)
        except errors.Forbidden:
            return Driver(f"the operator in namespace {place}")
        if found is not None and not read_record(found).looks_expired(now):
            annotations = found["metadata"].get("annotations") or {}
            version = str(annotations.get(VERSION_ANNOTATION, ""))
            return Driver(f"the operator ({read_record(found).holder})", version)
    return None


async def driver(cluster: KubernetesCluster, name: str, now: Instant, *, at_rest: bool) -> Driver:
    """Return who drives a release; no words where nobody does and nobody needs to."""
    there = await operator(cluster.caches, cluster.namespace, now)
    if there is not None:
        return msgspec.structs.replace(there, words=f"driven by {there.words}")
    lease = await cluster.client.find(kinds.LEASES, record_name(name), cluster.namespace)
    held = None if lease is None else read_record(lease)
    if held is None or held.renewed is None:
        return Driver("" if at_rest else "no driver")
    if held.looks_expired(now):
        since = timestamps.format_seconds(held.renewed)
        words = f"no driver since {since}: nothing advances until a verb is given"
        return Driver("" if at_rest else words)
    return Driver(f"driven by {held.holder}")


async def _home(client: Client) -> str:
    """Return the namespace of an operator for the whole cluster."""
    with contextlib.suppress(errors.ClusterError):
        definition = await client.find(kinds.CUSTOM_RESOURCE_DEFINITIONS, DEFINITION)
        annotations = (definition or {}).get("metadata", {}).get("annotations") or {}
        return str(annotations.get(NAMESPACE_ANNOTATION, OPERATOR_NAMESPACE))
    return OPERATOR_NAMESPACE
