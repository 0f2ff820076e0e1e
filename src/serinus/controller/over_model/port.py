"""What the cluster port does to a real API server, done to the model: one write, one snapshot."""

from __future__ import annotations

from collections.abc import Sequence

from serinus import kubernetes_model as model
from serinus.clock import Instant
from serinus.controller.ports import Snapshot
from serinus.errors import NotFound
from serinus.kube.objects import SERVICE_NAME_LABEL
from serinus.kubernetes_model.kinds import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    HORIZONTAL_POD_AUTOSCALERS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SERVICES,
)
from serinus.release.holding import OUR_MANAGER
from serinus.release.model import Spec
from serinus.traffic.plan import Manifest
from serinus.traffic.write import Verb, Write

READ_KINDS = (
    DEPLOYMENTS,
    REPLICA_SETS,
    PODS,
    SERVICES,
    ENDPOINT_SLICES,
    HORIZONTAL_POD_AUTOSCALERS,
)
"""What a snapshot is made of; each is followed by a watch of its own on a real cluster."""
_RESOURCES = {(kind.api_version, kind.kind): kind for kind in model.KINDS}
_PATCHES = {
    Verb.MERGE: model.PatchType.MERGE,
    Verb.STRATEGIC: model.PatchType.STRATEGIC,
    Verb.JSON: model.PatchType.JSON,
    Verb.APPLY: model.PatchType.APPLY,
}
_OPTIONS = model.WriteOptions(field_manager=OUR_MANAGER, force=True)


def resource_of(write: Write) -> model.Resource:
    """Return the kind of object that a write changes."""
    return _RESOURCES[write.target.api_version, write.target.kind]


def send(cluster: model.Cluster, write: Write, now: Instant) -> model.Written | None:
    """Make one write as our field manager; None when what it deletes is gone already.

    Raises:
        ClusterError: it was refused.
    """
    resource = resource_of(write)
    name, namespace = write.target.name, write.target.namespace
    if write.verb is Verb.CREATE:
        return cluster.create(resource, write.body, namespace, now=now, options=_OPTIONS)
    if write.verb is Verb.DELETE:
        options = model.DeleteOptions(
            propagation=write.propagation and model.Propagation(write.propagation.value),
            uid=write.uid,
            resource_version=write.resource_version,
        )
        try:
            return cluster.delete(resource, name, namespace, now=now, options=options)
        except NotFound:
            return None
    return cluster.patch(
        resource,
        name,
        write.body,
        namespace,
        patch_type=_PATCHES[write.verb],
        now=now,
        options=_OPTIONS,
        subresource=write.subresource,
    )


def snapshot(seen: dict[model.Resource, Sequence[Manifest]], spec: Spec) -> Snapshot:
    """Return the objects around a release; `seen` has those of one namespace by kind."""
    target = _named(seen[DEPLOYMENTS], spec.target)
    labels = {} if target is None else target["spec"]["selector"].get("matchLabels") or {}
    return Snapshot(
        target=target,
        service=_named(seen[SERVICES], spec.service),
        deployments=tuple(seen[DEPLOYMENTS]),
        replica_sets=tuple(seen[REPLICA_SETS]),
        pods=tuple(
            pod
            for pod in (() if target is None else seen[PODS])
            if labels.items() <= (pod["metadata"].get("labels") or {}).items()
        ),
        services=tuple(seen[SERVICES]),
        slices=tuple(
            found
            for found in seen[ENDPOINT_SLICES]
            if (found["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL) == spec.service
        ),
        autoscalers=tuple(seen[HORIZONTAL_POD_AUTOSCALERS]),
        # Nothing is decided by a budget, so a simulation need not follow them.
        budgets=tuple(seen.get(POD_DISRUPTION_BUDGETS, ())),
    )


def read(cluster: model.Cluster, namespace: str, spec: Spec) -> Snapshot:
    """Return the objects around a release as they are now."""
    kinds = (*READ_KINDS, POD_DISRUPTION_BUDGETS)
    return snapshot({kind: cluster.list(kind, namespace).items for kind in kinds}, spec)


def _named(objects: Sequence[Manifest], name: str) -> Manifest | None:
    return next((found for found in objects if found["metadata"]["name"] == name), None)
