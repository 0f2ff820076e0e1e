"""The store that controllers are written against, and how they read the parts of an object.

Objects are plain JSON dicts and are never changed in place: a controller builds a new one from the
old with `with_parts` and hands it to the store, which answers with the object as stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from serinus import errors
from serinus.kubernetes_model import selectors
from serinus.kubernetes_model.requests import DeleteOptions, Object


class Kind(NamedTuple):
    """Name a kind of object as an owner reference does."""

    api_version: str
    kind: str


DEPLOYMENT = Kind("apps/v1", "Deployment")
REPLICA_SET = Kind("apps/v1", "ReplicaSet")
POD = Kind("v1", "Pod")
SERVICE = Kind("v1", "Service")
NODE = Kind("v1", "Node")
NAMESPACE = Kind("v1", "Namespace")
EVENT = Kind("v1", "Event")
STATEFUL_SET = Kind("apps/v1", "StatefulSet")
POD_DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice")


class Lookup(Protocol):
    """Find objects without scanning all of them; the answers are in a stable order."""

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return the object, or None; `namespace` is "" for cluster-scoped kinds."""
        ...

    def list(self, kind: Kind, namespace: str) -> Sequence[Object]:
        """Return all objects of a kind in one namespace."""
        ...

    def by_uid(self, uid: str) -> tuple[Kind, Object] | None:
        """Return the live object with this uid."""
        ...

    def controlled_by(self, kind: Kind, uid: str) -> Sequence[Object]:
        """Return the objects whose controller reference names `uid`."""
        ...

    def uncontrolled(self, kind: Kind, namespace: str) -> Sequence[Object]:
        """Return the objects of a namespace that have no controller reference."""
        ...

    def labelled(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> Sequence[Object]:
        """Return the Pods or EndpointSlices that carry all of `labels` (at least one)."""
        ...

    def selecting(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> Sequence[Object]:
        """Return the Deployments, ReplicaSets or Services whose selector matches `labels`."""
        ...

    def dependents(self, uid: str) -> Sequence[tuple[Kind, Object]]:
        """Return the objects of any kind that name `uid` among their owners."""
        ...

    def namespaces_with(self, kind: Kind) -> Sequence[str]:
        """Return the namespaces in which there may be objects of a kind."""
        ...

    def contents(self, namespace: str) -> Sequence[tuple[Kind, Object]]:
        """Return everything that lives in a namespace."""
        ...


class Objects(Lookup, Protocol):
    """Read and write the cluster as one controller sees it.

    Writes raise the classes of `serinus.errors`: Conflict when the object has another
    resourceVersion or uid than the one given, NotFound, AlreadyExists, Invalid, Forbidden.
    """

    def is_namespaced(self, kind: Kind) -> bool | None:
        """Say whether objects of a kind live in namespaces; None for a kind that is not served."""
        ...

    def resource_name(self, kind: Kind) -> str:
        """Return plural and group, as in `deployments.apps`; the kind itself if not served."""
        ...

    def create(self, kind: Kind, obj: Object) -> Object:
        """Create an object (`metadata.generateName` is honoured) and return it as stored."""
        ...

    def update(self, kind: Kind, obj: Object) -> Object:
        """Replace all but the status, at `obj`'s resourceVersion."""
        ...

    def update_status(self, kind: Kind, obj: Object) -> Object:
        """Replace the status (and what else the kind's status endpoint takes)."""
        ...

    def finalize(self, namespace: Object) -> Object:
        """Replace a Namespace's `spec.finalizers`."""
        ...

    def delete(self, kind: Kind, obj: Object, options: DeleteOptions) -> None:
        """Delete the object that has `obj`'s name, under the preconditions of the options."""
        ...

    def record(self, regarding: tuple[Kind, Object], event: Event) -> None:
        """Write a Kubernetes Event about an object."""
        ...


class Event(NamedTuple):
    """One Kubernetes Event: which component says what about an object."""

    component: str
    type: str
    reason: str
    message: str


def name_of(obj: Object) -> str:
    """Return `metadata.name`."""
    return str(obj["metadata"]["name"])


def namespace_of(obj: Object) -> str:
    """Return `metadata.namespace`, "" for a cluster-scoped object."""
    return str(obj["metadata"].get("namespace") or "")


def uid_of(obj: Object) -> str:
    """Return `metadata.uid`."""
    return str(obj["metadata"]["uid"])


def labels_of(obj: Object) -> Mapping[str, str]:
    """Return `metadata.labels`, empty when there are none."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Object) -> Mapping[str, str]:
    """Return `metadata.annotations`, empty when there are none."""
    return obj["metadata"].get("annotations") or {}


def finalizers_of(obj: Object) -> Sequence[str]:
    """Return `metadata.finalizers`, empty when there are none."""
    return obj["metadata"].get("finalizers") or ()


def owners_of(obj: Object) -> Sequence[dict[str, Any]]:
    """Return `metadata.ownerReferences`, empty when there are none."""
    return obj["metadata"].get("ownerReferences") or ()


def controller_of(obj: Object) -> dict[str, Any] | None:
    """Return the owner reference with `controller: true`."""
    return next((owner for owner in owners_of(obj) if owner.get("controller")), None)


def is_being_deleted(obj: Object) -> bool:
    """Say whether the object has a deletionTimestamp."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def replicas_of(obj: Object) -> int:
    """Return `spec.replicas` of a Deployment or ReplicaSet, 1 when the field is missing."""
    replicas = obj["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def status_count(obj: Object | None, field: str) -> int:
    """Return an integer of the status; a missing field, or no object at all, is 0."""
    return 0 if obj is None else int((obj.get("status") or {}).get(field) or 0)


def generation_of(obj: Object) -> int:
    """Return `metadata.generation`."""
    return int(obj["metadata"].get("generation") or 0)


def selector_of(kind: Kind, obj: Object) -> selectors.LabelSelector:
    """Return the selector by which an object finds others; one that says nothing has no parts."""
    selector = obj["spec"].get("selector") or {}
    wrapped = {"matchLabels": selector} if kind == SERVICE else selector
    return selectors.of_object(wrapped) or selectors.LabelSelector()


def is_namespace_terminating(error: errors.ClusterError) -> bool:
    """Say whether a create was refused because its namespace is being deleted."""
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def age_order(obj: Object) -> tuple[str, str]:
    """Order objects from old to new: by creation time (whole seconds), then by name."""
    return str(obj["metadata"].get("creationTimestamp") or ""), name_of(obj)


def with_parts(obj: Object, **parts: Mapping[str, Any]) -> Object:
    """Return the object with fields of its top-level parts replaced; None removes a field."""
    changed = dict(obj)
    for part, fields in parts.items():
        merged = {**(obj.get(part) or {}), **fields}
        changed[part] = {key: value for key, value in merged.items() if value is not None}
    return changed


def with_status(obj: Object, status: Mapping[str, Any]) -> Object:
    """Return the object with its whole status replaced."""
    return {**obj, "status": dict(status)}


def reference_to(kind: Kind, owner: Object) -> dict[str, Any]:
    """Return the owner reference by which a controller claims what it creates or adopts."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }
