"""The ReplicaSet controller: as many Pods of one template as asked, and a status that says so.

Follows pkg/controller/replicaset/replica_set.go of Kubernetes 1.36.3. Reads are never stale here,
so there are no expectations to wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model.requests import DeleteOptions, Object
from serinus.kubernetes_model.workloads import conditions, ownership, pods
from serinus.kubernetes_model.workloads.objects import (
    POD,
    REPLICA_SET,
    Event,
    Objects,
    controller_of,
    generation_of,
    is_being_deleted,
    is_namespace_terminating,
    labels_of,
    name_of,
    namespace_of,
    reference_to,
    replicas_of,
    selector_of,
    uid_of,
    with_status,
)

BURST_REPLICAS = 500
"""How many Pods one reconcile creates or deletes at most."""
_COMPONENT = "replicaset-controller"


def reconcile(objects: Objects, namespace: str, name: str, now: Instant) -> Instant | None:
    """Bring one ReplicaSet's Pods and status up to its spec; return when to look again."""
    replica_set = objects.get(REPLICA_SET, namespace, name)
    if replica_set is None:
        return None
    candidates = [
        *objects.controlled_by(POD, uid_of(replica_set)),
        *objects.uncontrolled(POD, namespace),
    ]
    claimant = ownership.Claimant(objects, REPLICA_SET, replica_set)
    active = claimant.claim(POD, [pod for pod in candidates if pods.is_active(pod)])
    terminating = [pod for pod in candidates if pods.is_terminating(pod) and claimant.is_ours(pod)]
    failure: errors.ClusterError | None = None
    if not is_being_deleted(replica_set):
        try:
            _manage_replicas(objects, replica_set, active, now)
        except errors.ClusterError as error:
            failure = None if is_namespace_terminating(error) else error
    status = _status(replica_set, active, failure, now)
    status["terminatingReplicas"] = len(terminating)
    _write_status(objects, replica_set, status)
    if failure is not None:
        raise failure
    return _next_availability(replica_set, active, now)


def _manage_replicas(
    objects: Objects, replica_set: Object, active: Sequence[Object], now: Instant
) -> None:
    missing = replicas_of(replica_set) - len(active)
    if missing > 0:
        for _ in range(min(missing, BURST_REPLICAS)):
            _create_pod(objects, replica_set)
        return
    excess = min(-missing, BURST_REPLICAS)
    if not excess:
        return
    ordered = list(active)
    if excess < len(active):
        ordered = pods.victims_first(active, _related_pods(objects, replica_set), now)
    for pod in ordered[:excess]:
        _delete_pod(objects, replica_set, pod)


def _create_pod(objects: Objects, replica_set: Object) -> None:
    try:
        pod = objects.create(POD, _pod_of(replica_set))
    except errors.ClusterError as error:
        if not is_namespace_terminating(error):
            event = Event(_COMPONENT, "Warning", "FailedCreate", f"Error creating: {error}")
            objects.record((REPLICA_SET, replica_set), event)
        raise
    event = Event(_COMPONENT, "Normal", "SuccessfulCreate", f"Created pod: {name_of(pod)}")
    objects.record((REPLICA_SET, replica_set), event)


def _delete_pod(objects: Objects, replica_set: Object, pod: Object) -> None:
    try:
        objects.delete(POD, pod, DeleteOptions(uid=uid_of(pod)))
    except errors.NotFound:
        return
    except errors.ClusterError as error:
        event = Event(_COMPONENT, "Warning", "FailedDelete", f"Error deleting: {error}")
        objects.record((REPLICA_SET, replica_set), event)
        raise
    event = Event(_COMPONENT, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")
    objects.record((REPLICA_SET, replica_set), event)


def _pod_of(replica_set: Object) -> Object:
    template = replica_set["spec"]["template"]
    described = template.get("metadata") or {}
    metadata: dict[str, Any] = {
        "generateName": f"{name_of(replica_set)}-",
        "namespace": namespace_of(replica_set),
        "ownerReferences": [reference_to(REPLICA_SET, replica_set)],
    }
    for field in ("labels", "annotations", "finalizers"):
        if described.get(field):
            metadata[field] = described[field]
    return {
        "apiVersion": POD.api_version,
        "kind": POD.kind,
        "metadata": metadata,
        "spec": template["spec"],
    }


def _related_pods(objects: Objects, replica_set: Object) -> list[Object]:
    """Return the Pods of all ReplicaSets that the same controller owns."""
    controller = controller_of(replica_set)
    if controller is None:
        return []
    found: dict[str, Object] = {}
    for sibling in objects.controlled_by(REPLICA_SET, controller["uid"]):
        selector = selector_of(REPLICA_SET, sibling)
        labels = sibling["spec"]["selector"].get("matchLabels") or {}
        for pod in objects.labelled(POD, namespace_of(sibling), labels):
            if selector.matches(labels_of(pod)):
                found.setdefault(uid_of(pod), pod)
    return list(found.values())


def _status(
    replica_set: Object,
    active: Sequence[Object],
    failure: errors.ClusterError | None,
    now: Instant,
) -> dict[str, Any]:
    template_labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    min_ready_seconds = _min_ready_seconds(replica_set)
    available = [pods.available_at(pod, min_ready_seconds) for pod in active]
    status: dict[str, Any] = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(
            template_labels.items() <= labels_of(pod).items() for pod in active
        ),
        "readyReplicas": sum(pods.is_ready(pod) for pod in active),
        "availableReplicas": sum(since is not None and since <= now for since in available),
        "observedGeneration": generation_of(replica_set),
    }
    status = {key: value for key, value in status.items() if value or key == "replicas"}
    failures = _failure_conditions(replica_set, len(active), failure, now)
    if failures:
        status["conditions"] = list(failures)
    return status


def _failure_conditions(
    replica_set: Object, active_count: int, failure: errors.ClusterError | None, now: Instant
) -> conditions.Conditions:
    known = (replica_set.get("status") or {}).get("conditions") or ()
    if failure is None:
        return conditions.without(known, "ReplicaFailure")
    if conditions.find(known, "ReplicaFailure") is not None:
        return list(known)
    missing = active_count < replicas_of(replica_set)
    reason = "FailedCreate" if missing else "FailedDelete"
    condition = conditions.Condition("ReplicaFailure", "True", reason, str(failure))
    return conditions.with_replica_set_condition(known, condition, now)


def _write_status(objects: Objects, replica_set: Object, status: dict[str, Any]) -> None:
    if status != (replica_set.get("status") or {}):
        objects.update_status(REPLICA_SET, with_status(replica_set, status))


def _next_availability(
    replica_set: Object, active: Sequence[Object], now: Instant
) -> Instant | None:
    min_ready_seconds = _min_ready_seconds(replica_set)
    times = (pods.available_at(pod, min_ready_seconds) for pod in active)
    return min((time for time in times if time is not None and time > now), default=None)


def _min_ready_seconds(replica_set: Object) -> int:
    return int(replica_set["spec"].get("minReadySeconds") or 0)
