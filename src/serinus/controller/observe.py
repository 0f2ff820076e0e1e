"""Translate the cluster's objects into an `Observation`. No I/O beyond the port, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from serinus.api.codec import Release
from serinus.controller.ports import Snapshot
from serinus.release.holding import label_of, paused_by_us
from serinus.release.observation import Canary, Objects, Observation, ReplicaSet, Target
from serinus.release.preflight import Surroundings, findings, is_narrowable
from serinus.release.render import CANARY_OF_LABEL, REVISION_ANNOTATION
from serinus.release.revision import fingerprint, restart_fingerprint
from serinus.release.stages.full_count import full_count
from serinus.traffic.naming import LABEL_VALUE_MAX, shorten
from serinus.traffic.plan import Live, Manifest
from serinus.traffic.pods import HASH_LABEL, is_ready
from serinus.traffic.replica_ratio import narrowed_to

DESIRED_ANNOTATION = "deployment.kubernetes.io/desired-replicas"


class Observed(msgspec.Struct, frozen=True):
    """The same moment twice: as values to decide on, and as JSON to write from."""

    observation: Observation
    objects: Objects


def observe(release: Release, seen: Snapshot) -> Observed:
    """Return what a snapshot says about a release."""
    canary = _find_canary(release, seen)
    replica_sets = _relevant_sets(seen, canary)
    live = Live(
        service=seen.service,
        slices=seen.slices,
        pods=seen.pods,
        target=seen.target,
        parts=seen.parts,
    )
    around = _surroundings(release, seen)
    observation = Observation(
        name=release.name,
        namespace=release.namespace,
        spec=release.spec,
        status=release.status,
        command=release.command,
        target=None if seen.target is None else target_of(seen.target),
        canary=None if canary is None else _canary(canary),
        replica_sets=tuple(replica_set_of(rs, seen.pods) for rs in replica_sets),
        live=live,
        narrowable=around is None or is_narrowable(release.spec, around),
        broader=_broader(seen, canary),
        findings=() if around is None else findings(release.spec, around),
        hold_by=seen.hold_by,
        leaving=release.leaving,
    )
    objects = Objects(seen.target, canary, tuple(replica_sets), live, seen.hold_by)
    return Observed(observation, objects)


def leftover(release: Release, seen: Snapshot) -> str:
    """Return what is there of ours, or nothing; a template that nobody promoted stays paused."""
    canary = _find_canary(release, seen)
    if canary is not None:
        return f"Deployment {canary['metadata']['name']}"
    if seen.service is not None and narrowed_to(seen.service):
        return f"the narrowed selector of Service {release.spec.service}"
    if seen.parts.objects:
        return f"the routers of Service {release.spec.service}"
    if seen.target is not None and label_of(seen.target):
        return f"the label of Deployment {release.spec.target}"
    return ""


def target_of(found: Manifest) -> Target:
    """Return what matters of a Deployment."""
    meta, spec, status = found["metadata"], found["spec"], found.get("status") or {}
    strategy = spec.get("strategy") or {}
    surge = (strategy.get("rollingUpdate") or {}).get("maxSurge", "25%")
    return Target(
        name=meta["name"],
        uid=meta["uid"],
        generation=meta.get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        replica_count=spec.get("replicas", 1),
        updated_count=status.get("updatedReplicas", 0),
        total_count=status.get("replicas", 0),
        available_count=status.get("availableReplicas", 0),
        paused=bool(spec.get("paused")),
        template=fingerprint(spec["template"]),
        restart_template=restart_fingerprint(spec["template"]),
        surge=strategy.get("type", "RollingUpdate") == "RollingUpdate"
        and str(surge).rstrip("%") != "0",
        recreate=strategy.get("type") == "Recreate",
        progress_deadline_ms=1000 * (spec.get("progressDeadlineSeconds") or 600),
        deleting=bool(meta.get("deletionTimestamp")),
        hold_label=label_of(found),
        paused_by_us=paused_by_us(found),
    )


def replica_set_of(found: Manifest, pods: Iterable[Manifest]) -> ReplicaSet:
    """Return what matters of a ReplicaSet; its pods are counted by their controller."""
    meta, spec, status = found["metadata"], found["spec"], found.get("status") or {}
    annotations = meta.get("annotations") or {}
    desired = annotations.get(DESIRED_ANNOTATION)
    own = [pod for pod in pods if controller_uid(pod) == meta["uid"]]
    standing = [pod for pod in own if not pod["metadata"].get("deletionTimestamp")]
    ready_count = sum(1 for pod in standing if is_ready(pod))
    return ReplicaSet(
        name=meta["name"],
        uid=meta["uid"],
        hash=(meta.get("labels") or {}).get(HASH_LABEL, ""),
        template=fingerprint(spec["template"]),
        restart_template=restart_fingerprint(spec["template"]),
        number=int(annotations.get(REVISION_ANNOTATION, "0")),
        owner_uid=controller_uid(found),
        wanted_count=spec.get("replicas", 1),
        desired_count=None if desired is None else int(desired),
        ready_count=ready_count,
        # The ReplicaSet's own figure knows minReadySeconds, but comes behind what pods do.
        available_count=min(status.get("availableReplicas", 0), ready_count),
        standing_count=len(standing),
        deleting=bool(meta.get("deletionTimestamp")),
    )


def controller_uid(found: Manifest) -> str:
    """Return the uid of the object that controls this one, or nothing."""
    for owner in found["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            uid: str = owner["uid"]
            return uid
    return ""


def matches(selector: Manifest, labels: Manifest) -> bool:
    """Tell whether a LabelSelector takes an object with these labels; an empty one takes none."""
    pairs = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or ()
    if not pairs and not expressions:
        return False
    return all(labels.get(k) == v for k, v in pairs.items()) and all(
        _holds(e, labels) for e in expressions
    )


def _holds(expression: Manifest, labels: Manifest) -> bool:
    key, operator = expression["key"], expression["operator"]
    if operator == "In":
        return bool(labels.get(key) in expression["values"])
    if operator == "NotIn":
        return bool(labels.get(key) not in expression["values"])
    return bool((key in labels) == (operator == "Exists"))


def _find_canary(release: Release, seen: Snapshot) -> Manifest | None:
    mark = shorten(release.spec.target, LABEL_VALUE_MAX)
    for found in seen.deployments:
        meta = found["metadata"]
        owners = meta.get("ownerReferences") or ()
        if (meta.get("labels") or {}).get(CANARY_OF_LABEL) == mark and (
            not owners or any(o.get("name") == release.spec.target for o in owners)
        ):
            return found
    return None


def _canary(found: Manifest) -> Canary:
    meta = found["metadata"]
    owners: list[Any] = list(meta.get("ownerReferences") or ())
    return Canary(
        name=meta["name"],
        uid=meta["uid"],
        replica_count=found["spec"].get("replicas", 1),
        template=fingerprint(found["spec"]["template"]),
        owner_uid=owners[0]["uid"] if owners else "",
        deleting=bool(meta.get("deletionTimestamp")),
        orphaning="orphan" in (meta.get("finalizers") or ()),
    )


def _relevant_sets(seen: Snapshot, canary: Manifest | None) -> list[Manifest]:
    """Return the ReplicaSets of the target and its canary, and those that lost their owner."""
    if seen.target is None:
        return []
    uids = {seen.target["metadata"]["uid"], ""}
    known = {d["metadata"]["uid"] for d in seen.deployments}
    if canary is not None:
        uids.add(canary["metadata"]["uid"])
    selector = seen.target["spec"]["selector"]
    return [
        rs
        for rs in seen.replica_sets
        if matches(selector, rs["metadata"].get("labels") or {})
        # One whose controller is gone is on its way out, and its pods may still stand.
        and (controller_uid(rs) in uids or controller_uid(rs) not in known)
    ]


def _broader(seen: Snapshot, canary: Manifest | None) -> tuple[str, ...]:
    """Return the Deployments beside the two whose selector takes the canary's pods."""
    if seen.target is None or canary is None:
        return ()
    labels = dict(canary["spec"]["template"].get("metadata", {}).get("labels") or {})
    hashes = {
        (rs["metadata"].get("labels") or {}).get(HASH_LABEL)
        for rs in seen.replica_sets
        if controller_uid(rs) == canary["metadata"]["uid"]
    }
    ours = {seen.target["metadata"]["name"], canary["metadata"]["name"]}
    return tuple(
        d["metadata"]["name"]
        for d in seen.deployments
        if d["metadata"]["name"] not in ours
        and any(matches(d["spec"]["selector"], {**labels, HASH_LABEL: h or ""}) for h in hashes)
    )


def _surroundings(release: Release, seen: Snapshot) -> Surroundings | None:
    if seen.target is None:
        return None
    target = target_of(seen.target)
    return Surroundings(
        target=seen.target,
        service=seen.service,
        services=seen.services,
        autoscalers=seen.autoscalers,
        deployments=seen.deployments,
        replica_sets=seen.replica_sets,
        slices=seen.slices,
        pods=seen.pods,
        replica_count=full_count(release.status, target),
        surge=target.surge,
        budgets=[b for b in seen.budgets if _counts(b, seen.target)],
        hold_by=seen.hold_by,
        parts=seen.parts,
    )


def _counts(budget: Manifest, deployment: Manifest) -> bool:
    """Tell whether a budget is about a Deployment's pods; an empty selector takes all."""
    selector = budget["spec"].get("selector")
    labels = deployment["spec"]["template"].get("metadata", {}).get("labels") or {}
    empty = selector is not None and not any(selector.values())
    return empty or (selector is not None and matches(selector, labels))
