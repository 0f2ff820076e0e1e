"""The three writes to a pair: scale the canary, delete it, give stable its pod spec."""

from __future__ import annotations

from serinus.errors import InvariantViolation
from serinus.release.pair.model import PairObservation
from serinus.traffic.plan import Manifest
from serinus.traffic.write import ObjectRef, Propagation, Verb, Write


def needed(found: Manifest | None) -> Manifest:
    """Return the canary, which the caller has seen."""
    if found is None:
        raise InvariantViolation("a write to the canary without a canary")
    return found


def pod_spec(deployment: Manifest) -> Manifest:
    """Return what a Deployment's pods are to be."""
    found: Manifest = deployment["spec"]["template"]["spec"]
    return found


def _ref(found: Manifest) -> ObjectRef:
    return ObjectRef(
        "apps/v1", "Deployment", found["metadata"]["namespace"], found["metadata"]["name"]
    )


def scale(found: Manifest | None, replica_count: int) -> Write:
    """Return the write that gives the canary so many pods."""
    canary = needed(found)
    return Write(
        verb=Verb.MERGE,
        target=_ref(canary),
        why=f"scale the canary to {replica_count}",
        body={
            "metadata": {"resourceVersion": canary["metadata"]["resourceVersion"]},
            "spec": {"replicas": replica_count},
        },
    )


def delete(found: Manifest | None) -> Write:
    """Return the write that takes the canary away."""
    canary = needed(found)
    return Write(
        verb=Verb.DELETE,
        target=_ref(canary),
        why="delete the canary with its pods",
        uid=canary["metadata"]["uid"],
        propagation=Propagation.BACKGROUND,
    )


def copy_pod_spec(obs: PairObservation) -> Write:
    """Copy the pod spec and never labels: they are in the selectors, and tell the two apart."""
    return Write(
        verb=Verb.JSON,
        target=_ref(obs.stable_object),
        why="give stable the canary's pod spec",
        body=[
            {
                "op": "test",
                "path": "/metadata/resourceVersion",
                "value": obs.stable_object["metadata"]["resourceVersion"],
            },
            {
                "op": "replace",
                "path": "/spec/template/spec",
                "value": pod_spec(needed(obs.canary_object)),
            },
        ],
    )
