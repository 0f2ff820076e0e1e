"""The two verbs that only pods have: binding to a node, and eviction."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.clock import Instant
from serinus.kubernetes_model import failures, selectors, timestamps
from serinus.kubernetes_model.kinds import POD_DISRUPTION_BUDGETS, PODS
from serinus.kubernetes_model.requests import DeleteOptions, Object, Propagation
from serinus.kubernetes_model.store import Store

Manifest = dict[str, Any]

# Messages name the subresource too.
_BINDINGS = msgspec.structs.replace(PODS, plural="pods/binding")

SUCCESS: Manifest = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Success",
    "code": 201,
}


def bound(pod: Object, binding: Any, now: Instant) -> Manifest:
    """Return the pod as it is after a Binding.

    Raises:
        Conflict: it runs elsewhere, or is being deleted.
        Invalid: the Binding names no node.
    """
    name = pod["metadata"]["name"]
    target = (binding.get("target") or {}) if isinstance(binding, dict) else {}
    node = target.get("name")
    if not node:
        raise failures.bad_request("target.name: Required value")
    if "deletionTimestamp" in pod["metadata"]:
        raise failures.conflict(
            _BINDINGS, name, f"pod {name} is being deleted, cannot be assigned to a host"
        )
    current = pod["spec"].get("nodeName")
    if current:
        raise failures.conflict(
            _BINDINGS, name, f'pod {name} is already assigned to node "{current}"'
        )
    metadata = dict(pod["metadata"])
    for key in ("annotations", "labels"):
        added = (binding.get("metadata") or {}).get(key)
        if added:
            metadata[key] = {**metadata.get(key, {}), **added}
    condition = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": timestamps.time(now),
    }
    others = [c for c in pod["status"].get("conditions", ()) if c["type"] != "PodScheduled"]
    return {
        **pod,
        "metadata": metadata,
        "spec": {**pod["spec"], "nodeName": node},
        "status": {**pod["status"], "conditions": [*others, condition]},
    }


def check_eviction(store: Store, pod: Object) -> Manifest | None:
    """Return the budget that an eviction uses up by one, changed; None when no budget counts.

    Raises:
        Unavailable: a budget forbids it now.
    """
    metadata = pod["metadata"]
    if pod["status"].get("phase") in {"Succeeded", "Failed", "Pending"}:
        return None
    labels = metadata.get("labels", {})
    budgets = [
        budget
        for _, budget in store.objects(POD_DISRUPTION_BUDGETS, metadata["namespace"])
        if (match := selectors.of_object(budget["spec"].get("selector"))) and match.matches(labels)
    ]
    if not budgets:
        return None
    if len(budgets) > 1:
        raise failures.internal(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
            "not support."
        )
    budget = budgets[0]
    status = budget["status"]
    if status.get("disruptionsAllowed", 0) < 1:
        words = (
            f"The disruption budget {budget['metadata']['name']} needs "
            f"{status.get('desiredHealthy', 0)} healthy pods and has "
            f"{status.get('currentHealthy', 0)} currently"
        )
        raise failures.too_many_requests(
            "Cannot evict pod as it would violate the pod's disruption budget.",
            [{"reason": "DisruptionBudget", "message": words}],
        )
    left = {**status, "disruptionsAllowed": status["disruptionsAllowed"] - 1}
    return {**budget, "status": left}


def delete_options(eviction: Any, *, dry_run: bool) -> DeleteOptions:
    """Return the options with which an Eviction deletes."""
    given = (eviction.get("deleteOptions") or {}) if isinstance(eviction, dict) else {}
    policy = given.get("propagationPolicy")
    conditions = given.get("preconditions") or {}
    return DeleteOptions(
        propagation=Propagation(policy) if policy else None,
        grace_seconds=given.get("gracePeriodSeconds"),
        uid=conditions.get("uid"),
        resource_version=conditions.get("resourceVersion"),
        dry_run=dry_run,
    )
