"""Turn an action into writes: the only place where manifests of ours are made."""

from __future__ import annotations

from typing import Any

from serinus.errors import InvariantViolation
from serinus.release import decision as d
from serinus.release import holding
from serinus.release.model import Spec
from serinus.release.observation import Objects
from serinus.release.revision import fingerprint, without_hash
from serinus.release.words import counted
from serinus.traffic.naming import LABEL_VALUE_MAX, shorten
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import HASH_LABEL
from serinus.traffic.write import ObjectRef, Propagation, Verb, Write

ROLE_LABEL = "serinus.dev/role"
CANARY_OF_LABEL = "serinus.dev/canary-of"
REVISION_ANNOTATION = "deployment.kubernetes.io/revision"
DEPLOYMENT_NAME_MAX = 46
"""So that `NAME-<hash>-<suffix>` still fits a pod's host name of 63 characters."""


def writes(action: d.Action, spec: Spec, objects: Objects) -> tuple[Write, ...]:
    """Return what an action means on these objects; empty when there is nothing left to do."""
    match action:
        case d.SetTraffic():
            return spec.routed_by.render(action.plan, objects.live)
        case d.RestoreRoute():
            return spec.routed_by.restore(objects.live)
        case d.CreateCanary():
            return (_create(action, objects),)
        case d.DeleteReplicaSet() | d.EmptyReplicaSet() | d.SetTemplate():
            return _replica_set_writes(action, objects)
        case d.ScaleCanary() | d.OrphanCanary() | d.DeleteCanary():
            return _canary_writes(action, objects)
        case d.ScaleStable():
            target = _need(objects.target, "Deployment")
            why = f"scale stable to {action.replica_count}"
            return (_scale(target, action.replica_count, why),)
        case d.Hold() | d.Guard() | d.Resume() | d.LetGo():
            return holding.writes(action, _need(objects.target, "Deployment"), objects.hold_by)


def canary_name(target: Manifest, replica_sets: tuple[Manifest, ...]) -> str:
    """Return `NAME-revK`, K being the revision number that the template will have in the target.

    Adopted pods keep this name for life, so it does not say canary.
    """
    uid = target["metadata"]["uid"]
    numbers = [
        int((rs["metadata"].get("annotations") or {}).get(REVISION_ANNOTATION, "0"))
        for rs in replica_sets
        if any(
            o.get("uid") == uid and o.get("controller")
            for o in rs["metadata"].get("ownerReferences") or ()
        )
    ]
    suffix = f"-rev{max(numbers, default=0) + 1}"
    return shorten(target["metadata"]["name"], DEPLOYMENT_NAME_MAX - len(suffix)) + suffix


def canary_manifest(objects: Objects, replica_count: int) -> dict[str, Any]:
    """Return the canary Deployment: the target's template, a selector that cannot take its pods.

    Our metadata is labels only: annotations would reach the ReplicaSet and come back with
    `kubectl rollout undo`. The owner is the stable Deployment: nothing of ours can take it along.
    """
    target = _need(objects.target, "Deployment")
    meta, spec = target["metadata"], target["spec"]
    other_hashes = sorted(
        {
            rs["metadata"]["labels"][HASH_LABEL]
            for rs in objects.replica_sets
            if HASH_LABEL in (rs["metadata"].get("labels") or {})
            and _is_controlled_by(rs, meta["uid"])
            and fingerprint(rs["spec"]["template"]) != fingerprint(spec["template"])
        }
    )
    expressions = list(spec["selector"].get("matchExpressions") or ())
    if other_hashes:
        expressions.append({"key": HASH_LABEL, "operator": "NotIn", "values": other_hashes})
    selector: dict[str, Any] = {"matchLabels": dict(spec["selector"].get("matchLabels") or {})}
    if expressions:
        selector["matchExpressions"] = expressions
    copied = {
        key: spec[key]
        for key in ("strategy", "minReadySeconds", "progressDeadlineSeconds")
        if key in spec
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": canary_name(target, objects.replica_sets),
            "namespace": meta["namespace"],
            "labels": {
                ROLE_LABEL: "canary",
                CANARY_OF_LABEL: shorten(meta["name"], LABEL_VALUE_MAX),
            },
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": meta["name"],
                    "uid": meta["uid"],
                    "controller": False,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": {
            "replicas": replica_count,
            # Revisions that were never promoted must not reach `kubectl rollout undo`.
            "revisionHistoryLimit": 0,
            "selector": selector,
            **copied,
            "template": without_hash(spec["template"]),
        },
    }


def _create(action: d.CreateCanary, objects: Objects) -> Write:
    body = canary_manifest(objects, action.replica_count)
    meta = body["metadata"]
    return Write(
        verb=Verb.CREATE,
        target=ObjectRef("apps/v1", "Deployment", meta["namespace"], meta["name"]),
        why=f"create the canary with {counted(action.replica_count, 'pod')}",
        body=body,
    )


def _canary_writes(
    action: d.ScaleCanary | d.OrphanCanary | d.DeleteCanary, objects: Objects
) -> tuple[Write, ...]:
    if objects.canary is None:
        return ()
    canary = objects.canary
    match action:
        case d.ScaleCanary():
            why = f"scale the canary to {action.replica_count}"
            return (_scale(canary, action.replica_count, why),)
        case d.OrphanCanary():
            return (
                Write(
                    verb=Verb.DELETE,
                    target=_ref(canary),
                    why="hand the canary's pods over to the stable Deployment",
                    uid=canary["metadata"]["uid"],
                    resource_version=canary["metadata"]["resourceVersion"],
                    propagation=Propagation.ORPHAN,
                ),
            )
        case d.DeleteCanary():
            return (
                Write(
                    verb=Verb.DELETE,
                    target=_ref(canary),
                    why="delete the canary with its pods",
                    uid=canary["metadata"]["uid"],
                    propagation=Propagation.BACKGROUND,
                ),
            )


def _replica_set_writes(
    action: d.DeleteReplicaSet | d.EmptyReplicaSet | d.SetTemplate, objects: Objects
) -> tuple[Write, ...]:
    name = action.replica_set if isinstance(action, d.SetTemplate) else action.name
    found = next((rs for rs in objects.replica_sets if rs["metadata"]["name"] == name), None)
    if found is None:
        return ()
    match action:
        case d.DeleteReplicaSet():
            return (
                Write(
                    verb=Verb.DELETE,
                    target=_ref(found, "ReplicaSet"),
                    why="it is empty and has the template that is on trial",
                    uid=found["metadata"]["uid"],
                    resource_version=found["metadata"]["resourceVersion"],
                    propagation=Propagation.BACKGROUND,
                ),
            )
        case d.EmptyReplicaSet():
            return (_scale(found, 0, "empty a revision that should not run", "ReplicaSet"),)
        case d.SetTemplate():
            return (_set_template(found, objects),)


def _set_template(replica_set: Manifest, objects: Objects) -> Write:
    target = _need(objects.target, "Deployment")
    return Write(
        verb=Verb.JSON,
        target=_ref(target),
        why=f"set the template back to that of {replica_set['metadata']['name']}",
        body=[
            # Not the version of the whole object, which every pod changes. What matters is that
            # nobody changed the spec.
            *(
                {"op": "test", "path": f"/metadata/{key}", "value": target["metadata"][key]}
                for key in ("uid", "generation")
            ),
            {
                "op": "replace",
                "path": "/spec/template",
                "value": without_hash(replica_set["spec"]["template"]),
            },
            *holding.operations(target, objects.hold_by),
        ],
    )


def _scale(found: Manifest, replica_count: int, why: str, kind: str = "Deployment") -> Write:
    return Write(
        verb=Verb.MERGE,
        target=_ref(found, kind),
        why=why,
        body={
            "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]},
            "spec": {"replicas": replica_count},
        },
    )


def _ref(found: Manifest, kind: str = "Deployment") -> ObjectRef:
    meta = found["metadata"]
    return ObjectRef("apps/v1", kind, meta["namespace"], meta["name"])


def _is_controlled_by(found: Manifest, uid: str) -> bool:
    owners = found["metadata"].get("ownerReferences") or ()
    return any(o.get("uid") == uid and o.get("controller") for o in owners)


def _need(found: Manifest | None, what: str) -> Manifest:
    if found is None:
        raise InvariantViolation(f"an action needs the {what}, which is not there")
    return found
