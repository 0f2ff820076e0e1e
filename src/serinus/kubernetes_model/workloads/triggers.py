"""Which reconciles a change asks for: what the event handlers of the real controllers do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from serinus.clock import Instant
from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads import disruption, pods, replica_set
from serinus.kubernetes_model.workloads.deployment import limits
from serinus.kubernetes_model.workloads.deployment import reconcile as deployment
from serinus.kubernetes_model.workloads.endpoint_slice import endpoints
from serinus.kubernetes_model.workloads.endpoint_slice import reconcile as endpoint_slice
from serinus.kubernetes_model.workloads.objects import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    EVENT,
    NAMESPACE,
    NODE,
    POD,
    POD_DISRUPTION_BUDGET,
    REPLICA_SET,
    SERVICE,
    Kind,
    Lookup,
    Objects,
    controller_of,
    finalizers_of,
    is_being_deleted,
    labels_of,
    name_of,
    namespace_of,
    owners_of,
    uid_of,
)
from serinus.kubernetes_model.workloads.removal import garbage, lost_pods, namespace


class Key(NamedTuple):
    """One reconcile to be done: which controller, and on what (garbage: a uid as the name)."""

    controller: str
    namespace: str
    name: str


Reconcile = Callable[[Objects, str, str, Instant], Instant | None]

RECONCILES: Mapping[str, Reconcile] = {
    "deployment": deployment.reconcile,
    "replica-set": replica_set.reconcile,
    "endpoint-slice": endpoint_slice.reconcile,
    "disruption": disruption.reconcile,
    "garbage": garbage.reconcile,
    "namespace": namespace.reconcile,
    "lost-pod": lost_pods.reconcile,
}


class Change(NamedTuple):
    """One object before and after; one of the two may be missing."""

    kind: Kind
    before: Object | None
    after: Object | None

    @property
    def latest(self) -> Object:
        """Return the object as last known."""
        latest = self.before if self.after is None else self.after
        if latest is None:
            raise ValueError("a change has an object before or after it")
        return latest


def keys_for(lookup: Lookup, change: Change) -> Iterator[tuple[Key, int]]:
    """Yield the keys to reconcile after a change, each with a delay in milliseconds."""
    if change.kind == EVENT:
        return
    for key in _workload_keys(lookup, change):
        yield key, 0
    for key in _removal_keys(lookup, change):
        yield key, 0
    for pod in _pods_lost(lookup, change):
        yield Key("lost-pod", namespace_of(pod), name_of(pod)), lost_pods.QUARANTINE_MS


def _workload_keys(lookup: Lookup, change: Change) -> Iterator[Key]:
    latest = change.latest
    match change.kind:
        case kind if kind == DEPLOYMENT:
            yield _key("deployment", latest)
        case kind if kind == REPLICA_SET:
            yield _key("replica-set", latest)
            yield from _claimant_keys(lookup, change, DEPLOYMENT, "deployment")
        case kind if kind == SERVICE:
            yield _key("endpoint-slice", latest)
        case kind if kind == POD:
            yield from _claimant_keys(lookup, change, REPLICA_SET, "replica-set")
            yield from _service_keys(lookup, change)
            yield from _budget_keys(lookup, change)
            if change.after is None:
                yield from _recreate_keys(lookup, latest)
        case kind if kind == POD_DISRUPTION_BUDGET:
            yield _key("disruption", latest)
        case kind if kind == ENDPOINT_SLICE:
            yield from _slice_keys(change)


def _claimant_keys(lookup: Lookup, change: Change, kind: Kind, controller: str) -> Iterator[Key]:
    """Yield the owner before, the owner now, and who may adopt one that has none."""
    before, after = change.before, change.after
    owner_before = None if before is None else controller_of(before)
    owner_after = None if after is None else controller_of(after)
    for owner, obj in ((owner_before, before), (owner_after, after)):
        if owner is None or obj is None or owner["kind"] != kind.kind:
            continue
        found = lookup.get(kind, namespace_of(obj), owner["name"])
        if found is not None and uid_of(found) == owner["uid"]:
            yield _key(controller, found)
    if after is None or owner_after is not None or is_being_deleted(after):
        return
    if before is None or owner_before is not None or labels_of(before) != labels_of(after):
        for candidate in lookup.selecting(kind, namespace_of(after), labels_of(after)):
            yield _key(controller, candidate)


def _service_keys(lookup: Lookup, change: Change) -> Iterator[Key]:
    before, after = change.before, change.after
    if before is not None and after is not None and not endpoints.has_changed(before, after):
        return
    for pod in (before, after):
        if pod is None:
            continue
        for service in lookup.selecting(SERVICE, namespace_of(pod), labels_of(pod)):
            yield _key("endpoint-slice", service)


def _budget_keys(lookup: Lookup, change: Change) -> Iterator[Key]:
    for pod in (change.before, change.after):
        if pod is None:
            continue
        for budget in lookup.list(POD_DISRUPTION_BUDGET, namespace_of(pod)):
            if disruption.protects(budget, pod):
                yield _key("disruption", budget)


def _recreate_keys(lookup: Lookup, pod: Object) -> Iterator[Key]:
    """Yield the Deployment that waits for its last old Pod to be gone."""
    owner = controller_of(pod)
    if owner is None:
        return
    owning_set = lookup.get(REPLICA_SET, namespace_of(pod), owner["name"])
    owner = None if owning_set is None else controller_of(owning_set)
    if owner is None:
        return
    waiting = lookup.get(DEPLOYMENT, namespace_of(pod), owner["name"])
    if waiting is not None and not limits.is_rolling_update(waiting):
        yield _key("deployment", waiting)


def _slice_keys(change: Change) -> Iterator[Key]:
    for obj in (change.before, change.after):
        if obj is None:
            continue
        labels = labels_of(obj)
        service_name = labels.get(endpoint_slice.SERVICE_NAME_LABEL)
        if service_name and labels.get(endpoint_slice.MANAGED_BY_LABEL) == endpoint_slice.MANAGER:
            yield Key("endpoint-slice", namespace_of(obj), service_name)


def _removal_keys(lookup: Lookup, change: Change) -> Iterator[Key]:
    before, after = change.before, change.after
    if change.kind == NAMESPACE and after is not None and is_being_deleted(after):
        yield _key("namespace", after)
    if before is not None and (after is None or uid_of(before) != uid_of(after)):
        yield from _keys_after_removal(lookup, before)
    if after is None:
        return
    if _begins(before, after, garbage.ORPHAN_FINALIZER):
        yield _garbage_key(after)
    elif _begins(before, after, garbage.FOREGROUND_FINALIZER):
        # Dependents first: one that does not block has to see that its owner waits.
        for _, dependent in lookup.dependents(uid_of(after)):
            yield _garbage_key(dependent)
        yield _garbage_key(after)
    if before is None or owners_of(before) != owners_of(after):
        yield from _keys_after_owner_change(lookup, before, after)


def _keys_after_removal(lookup: Lookup, gone: Object) -> Iterator[Key]:
    for _, dependent in lookup.dependents(uid_of(gone)):
        yield _garbage_key(dependent)
    for owner in owners_of(gone):
        yield from _waiting_owner(lookup, owner["uid"])
    around = lookup.get(NAMESPACE, "", namespace_of(gone))
    if around is not None and is_being_deleted(around):
        yield _key("namespace", around)


def _keys_after_owner_change(lookup: Lookup, before: Object | None, after: Object) -> Iterator[Key]:
    for owner in () if before is None else owners_of(before):
        if owner not in owners_of(after):
            yield from _waiting_owner(lookup, owner["uid"])
    for owner in owners_of(after):
        found = lookup.by_uid(owner["uid"])
        if found is None or not _fits(owner, found):
            yield _garbage_key(after)
            return


def _fits(owner: Mapping[str, object], found: tuple[Kind, Object]) -> bool:
    kind, obj = found
    named = (owner["apiVersion"], owner["kind"], owner["name"])
    return named == (kind.api_version, kind.kind, name_of(obj))


def _waiting_owner(lookup: Lookup, uid: str) -> Iterator[Key]:
    """Yield an owner that waits for its dependents, and those that block it still.

    Among them may be dependents that came after the wait began, which nothing else looks at.
    """
    found = lookup.by_uid(uid)
    if found is None or not garbage.is_deleting_dependents(found[1]):
        return
    yield _garbage_key(found[1])
    for _, dependent in lookup.dependents(uid):
        if garbage.blocks(dependent, uid) and not garbage.is_deleting_dependents(dependent):
            yield _garbage_key(dependent)


def _begins(before: Object | None, after: Object, finalizer: str) -> bool:
    """Say whether an object begins to be deleted in the way that a finalizer stands for."""
    return _is_held(after, finalizer) and (before is None or not _is_held(before, finalizer))


def _is_held(obj: Object, finalizer: str) -> bool:
    return is_being_deleted(obj) and finalizer in finalizers_of(obj)


def _pods_lost(lookup: Lookup, change: Change) -> Iterator[Object]:
    if change.kind == NODE and change.after is None:
        for space in lookup.namespaces_with(POD):
            yield from (pod for pod in lookup.list(POD, space) if lost_pods.is_lost(lookup, pod))
    if change.kind != POD or change.after is None:
        return
    newly_bound = change.before is None or not change.before["spec"].get("nodeName")
    if (
        newly_bound
        and not pods.is_terminal(change.after)
        and lost_pods.is_lost(lookup, change.after)
    ):
        yield change.after


def _key(controller: str, obj: Object) -> Key:
    return Key(controller, namespace_of(obj), name_of(obj))


def _garbage_key(obj: Object) -> Key:
    return Key("garbage", "", uid_of(obj))
