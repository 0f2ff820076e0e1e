"""Whether an operator drives the releases of this cluster; a command line then only gives verbs."""

from __future__ import annotations

import contextlib

from serinus import errors
from serinus.clock import Instant
from serinus.controller.kubernetes.caches import Caches
from serinus.kube import kinds
from serinus.kube.client import Client
from serinus.kube.lease import read_record

OPERATOR_LEASE = "serinus-controller"
OPERATOR_NAMESPACE = "serinus-system"
NAMESPACE_ANNOTATION = "serinus.dev/controller-namespace"
"""On the definition of CanaryRelease: where the operator holds its Lease."""
DEFINITION = "canaryreleases.serinus.dev"


async def operator(caches: Caches, namespace: str, now: Instant) -> str:
    """Return which operator drives the releases of a namespace, or nothing.

    Where we may not read its Lease but there is a definition that names one, it counts as there:
    two drivers would do no harm, but would get in each other's way.
    """
    if not caches.has(kinds.CANARY_RELEASES):
        return ""
    for place in dict.fromkeys((namespace, await _home(caches.client))):
        try:
            found = await caches.client.find(kinds.LEASES, OPERATOR_LEASE, place)
        except errors.Forbidden:
            return f"the operator in namespace {place}"
        if found is not None and not read_record(found).looks_expired(now):
            return f"the operator ({read_record(found).holder})"
    return ""


async def _home(client: Client) -> str:
    """Return the namespace of an operator for the whole cluster."""
    with contextlib.suppress(errors.ClusterError):
        definition = await client.find(kinds.CUSTOM_RESOURCE_DEFINITIONS, DEFINITION)
        annotations = (definition or {}).get("metadata", {}).get("annotations") or {}
        return str(annotations.get(NAMESPACE_ANNOTATION, OPERATOR_NAMESPACE))
    return OPERATOR_NAMESPACE
