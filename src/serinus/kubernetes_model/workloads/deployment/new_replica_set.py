"""Find the ReplicaSet of the Deployment's template, or make it.

Follows pkg/controller/deployment/sync.go (getNewReplicaSet) of Kubernetes 1.36.3.
"""

from __future__ import annotations

from typing import Any

from serinus import errors
from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads import conditions
from serinus.kubernetes_model.workloads.deployment import limits, progress, revisions
from serinus.kubernetes_model.workloads.deployment.state import State
from serinus.kubernetes_model.workloads.objects import (
    DEPLOYMENT,
    REPLICA_SET,
    annotations_of,
    controller_of,
    is_namespace_terminating,
    name_of,
    namespace_of,
    reference_to,
    replicas_of,
    uid_of,
    with_parts,
    with_status,
)


def sync_revision(state: State) -> None:
    """Give the new ReplicaSet, if there is one, its annotations, and the Deployment a revision."""
    new = state.new()
    if new is None:
        return
    annotations = revisions.new_annotations(
        state.deployment, annotations_of(new), _next_revision(state)
    )
    wanted_seconds = int(state.spec.get("minReadySeconds") or 0)
    if annotations != annotations_of(new) or wanted_seconds != _min_ready_seconds(new):
        state.update_replica_set(
            with_parts(
                new,
                metadata={"annotations": annotations},
                spec={"minReadySeconds": wanted_seconds or None},
            )
        )
        # The Deployment's own revision follows in the reconcile that this write causes.
        return
    found = None
    if progress.has_deadline(state.deployment) and progress.condition_of(state) is None:
        message = f'Found new replica set "{name_of(new)}"'
        found = conditions.Condition("Progressing", "True", "FoundNewReplicaSet", message)
    _note_revision(state, annotations.get(revisions.REVISION, ""), found)


def create(state: State) -> None:
    """Create the ReplicaSet of the Deployment's template.

    Raises:
        AlreadyExists: another object has the name that the hash gives; the next attempt uses
            another hash.
    """
    wanted = _wanted_replica_set(state)
    try:
        created = state.objects.create(REPLICA_SET, wanted)
    except errors.AlreadyExists:
        _resolve_collision(state, name_of(wanted))
        return
    except errors.ClusterError as error:
        if is_namespace_terminating(error):
            raise
        _report_failure(state, name_of(wanted), error)
        raise
    state.take(created)
    if replicas_of(created) > 0:
        state.record(
            "ScalingReplicaSet",
            f"Scaled up replica set {name_of(created)} from 0 to {replicas_of(created)}",
        )
    condition = None
    if progress.has_deadline(state.deployment):
        message = f'Created new replica set "{name_of(created)}"'
        condition = conditions.Condition("Progressing", "True", "NewReplicaSetCreated", message)
    _note_revision(state, annotations_of(created).get(revisions.REVISION, ""), condition)


def replicas_for(state: State, current: int) -> int:
    """Return the size that the new ReplicaSet may have now, of which it has `current`."""
    wanted = replicas_of(state.deployment)
    if not limits.is_rolling_update(state.deployment):
        return wanted
    total = sum(replicas_of(item) for item in state.replica_sets)
    room = wanted + limits.max_surge(state.deployment) - total
    return current if room <= 0 else current + min(room, wanted - current)


def _wanted_replica_set(state: State) -> Object:
    deployment = state.deployment
    template = state.spec["template"]
    hash_text = revisions.template_hash(template, state.status.get("collisionCount"))
    template = revisions.with_hash_label(template, hash_text)
    selector = dict(state.spec["selector"])
    labels = {**(selector.get("matchLabels") or {}), revisions.HASH_LABEL: hash_text}
    selector["matchLabels"] = labels
    spec: dict[str, Any] = {
        "replicas": replicas_for(state, 0),
        "selector": selector,
        "template": template,
    }
    if state.spec.get("minReadySeconds"):
        spec["minReadySeconds"] = state.spec["minReadySeconds"]
    replica_set: Object = {
        "apiVersion": REPLICA_SET.api_version,
        "kind": REPLICA_SET.kind,
        "metadata": {
            "name": revisions.replica_set_name(name_of(deployment), hash_text),
            "namespace": namespace_of(deployment),
            "labels": template["metadata"]["labels"],
            "annotations": revisions.new_annotations(deployment, {}, _next_revision(state)),
            "ownerReferences": [reference_to(DEPLOYMENT, deployment)],
        },
        "spec": spec,
    }
    return revisions.with_size_annotations(replica_set, deployment)


def _resolve_collision(state: State, name: str) -> None:
    """Take the ReplicaSet of that name when it is ours after all, else choose another hash."""
    deployment = state.deployment
    existing = state.objects.get(REPLICA_SET, namespace_of(deployment), name)
    if existing is not None:
        controller = controller_of(existing)
        ours = controller is not None and controller["uid"] == uid_of(deployment)
        if ours and revisions.is_same_template(
            existing["spec"]["template"], state.spec["template"]
        ):
            state.take(existing)
            return
    count = int(state.status.get("collisionCount") or 0) + 1
    state.write(with_status(deployment, {**state.status, "collisionCount": count}))
    raise errors.AlreadyExists(
        f'replicasets.apps "{name}" already exists and is not the one of Deployment '
        f'"{name_of(deployment)}"; the next attempt uses another hash'
    )


def _report_failure(state: State, name: str, error: errors.ClusterError) -> None:
    message = f'Failed to create new replica set "{name}": {error}'
    if progress.has_deadline(state.deployment):
        condition = conditions.Condition("Progressing", "False", "ReplicaSetCreateError", message)
        progress.set_condition(state, condition)
    state.record("ReplicaSetCreateError", message, "Warning")


def _note_revision(state: State, revision: str, condition: conditions.Condition | None) -> None:
    """Write the revision, and a condition with it, onto the Deployment."""
    deployment = state.deployment
    annotations = annotations_of(deployment)
    if annotations.get(revisions.REVISION, "") != revision:
        noted = {**annotations, revisions.REVISION: revision}
        deployment = with_parts(deployment, metadata={"annotations": noted})
    if condition is not None:
        deployment = progress.with_condition(deployment, condition, state.now)
    if deployment is not state.deployment:
        state.write(deployment)


def _next_revision(state: State) -> int:
    return max((revisions.revision_of(item) for item in state.old()), default=0) + 1


def _min_ready_seconds(obj: Object) -> int:
    return int(obj["spec"].get("minReadySeconds") or 0)
