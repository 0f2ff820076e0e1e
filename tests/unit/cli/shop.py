"""A namespace with the Deployment `shop` as an API server would return it, at a fixed moment."""

from __future__ import annotations

from typing import Any

from serinus.api.codec import Release
from serinus.api.text import parse_steps
from serinus.controller.observe import observe, replica_set_of, target_of
from serinus.controller.ports import Snapshot
from serinus.release.model import Ended, Phase, Progress, Shown, Spec, Status, Waiting
from serinus.release.observation import Observation
from serinus.release.pair.model import PairObservation
from serinus.release.render import CANARY_OF_LABEL
from serinus.release.revision import fingerprint
from serinus.traffic.plan import Live

NOW = 1_780_000_000_000
STABLE_HASH, CANARY_HASH = "5d9c7b6f4d", "7cf4bcdfcf"
SPEC = Spec(target="shop", service="shop", steps=parse_steps("25,pause:10m,50,pause"))


def template(image: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "shop", **labels}},
        "spec": {
            "containers": [
                {
                    "name": "web",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "resources": {},
                }
            ],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        },
    }


def deployment(name: str, image: str, count: int, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "web",
            "uid": f"uid-{name}",
            "resourceVersion": "7",
            "generation": 1,
            "creationTimestamp": "2026-05-28T20:00:00Z",
        },
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": {"app": "shop", **labels}},
            "template": template(image, **labels),
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            },
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        "status": {
            "observedGeneration": 1,
            "replicas": count,
            "updatedReplicas": count,
            "availableReplicas": count,
        },
    }


def replica_set(owner: dict[str, Any], hash_: str, image: str) -> dict[str, Any]:
    count = owner["spec"]["replicas"]
    labels = {**owner["spec"]["selector"]["matchLabels"], "pod-template-hash": hash_}
    found = template(image)
    found["metadata"]["labels"] = labels
    return {
        "metadata": {
            "name": f"{owner['metadata']['name']}-{hash_}",
            "namespace": "web",
            "uid": f"uid-{hash_}",
            "resourceVersion": "5",
            "generation": 1,
            "creationTimestamp": "2026-05-28T20:00:00Z",
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": {"replicas": count, "selector": {"matchLabels": labels}, "template": found},
        "status": {"replicas": count, "availableReplicas": count},
    }


def pods(owner: dict[str, Any], ready_count: int) -> list[dict[str, Any]]:
    return [_pod(owner, i, ready=i < ready_count) for i in range(owner["spec"]["replicas"])]


def _pod(owner: dict[str, Any], number: int, *, ready: bool) -> dict[str, Any]:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "restartCount": 0}
    running = {"state": {"running": {}}, "restartCount": number}
    return {
        "metadata": {
            "name": f"{owner['metadata']['name']}-{number}",
            "namespace": "web",
            "uid": f"{owner['metadata']['uid']}-{number}",
            "resourceVersion": "6",
            "creationTimestamp": "2026-05-28T20:00:00Z",
            "labels": owner["metadata"]["labels"],
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": {"containers": owner["spec"]["template"]["spec"]["containers"]},
        "status": {
            "phase": "Running" if ready else "Pending",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [running if ready else waiting],
        },
    }


def service(name: str = "shop") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "web",
            "creationTimestamp": "2026-05-28T20:00:00Z",
            "uid": "uid-service",
            "resourceVersion": "3",
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "10.0.0.7",
            "selector": {"app": "shop"},
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        },
    }


def release() -> Release:
    """Return a release at its third step that waits for a pod."""
    status = Status(
        phase=Phase.PROGRESSING,
        revision="f00d" * 8,
        generation=2,
        step_index=2,
        weight_bp=2_500,
        stable_hash=STABLE_HASH,
        canary_hash=CANARY_HASH,
        started_ms=NOW - 612_000,
        shown=Shown("*", NOW - 602_000),
        progress=Progress(1, 3, NOW + 590_000),
        waiting=Waiting("WaitingForPods", "1 of 3 canary pods are available", NOW - 10_000),
        history=(
            Ended("beef" * 8, "Promoted", NOW - 90_000_000, NOW - 89_000_000, "every pod of shop"),
            Ended("cafe" * 8, "Aborted", NOW - 8_000_000, NOW - 7_999_000, "aborted by a person"),
        ),
    )
    return Release("shop", "web", SPEC, status)


def resting() -> Release:
    """Return a release of another Deployment that ended well."""
    spec = Spec(target="cart", service="cart", steps=parse_steps("5,50"))
    return Release("cart", "web", spec, Status(message="every pod of cart runs the new revision"))


def observation() -> Observation:
    """Return the release with three stable pods and one of three canary pods ready."""
    target = deployment("shop", "shop:1.8", 3)
    target["spec"]["paused"] = True
    canary = deployment("shop-rev2", "shop:1.8", 3)
    canary["metadata"]["labels"] = {CANARY_OF_LABEL: "shop"}
    stable_set = replica_set(target, STABLE_HASH, "shop:1.7")
    canary_set = replica_set(canary, CANARY_HASH, "shop:1.8")
    seen = Snapshot(
        target=target,
        service=service(),
        deployments=(target, canary),
        replica_sets=(stable_set, canary_set),
        pods=(*pods(stable_set, 3), *pods(canary_set, 1)),
        services=(service(),),
        slices=(),
        autoscalers=(),
    )
    return observe(release(), seen).observation


def pair_observation() -> PairObservation:
    """Return the classic pair: three and one."""
    stable, canary = deployment("shop", "shop:1.7", 3), deployment("shop-canary", "shop:1.8", 1)
    stable_set = replica_set(stable, STABLE_HASH, "shop:1.7")
    canary_set = replica_set(canary, CANARY_HASH, "shop:1.8")
    seen = (*pods(stable_set, 3), *pods(canary_set, 1))
    assert fingerprint(stable_set["spec"]["template"]) != fingerprint(
        canary_set["spec"]["template"]
    )
    return PairObservation(
        stable=target_of(stable),
        stable_set=replica_set_of(stable_set, seen),
        canary=target_of(canary),
        canary_set=replica_set_of(canary_set, seen),
        stable_object=stable,
        canary_object=canary,
        live=Live(service=service(), slices=(), pods=seen),
        settle_ms=2_000,
    )


def plan_objects() -> list[dict[str, Any]]:
    """Return a Deployment that was just created, and its Service."""
    target = deployment("shop", "shop:1.7", 3)
    target["status"] = {}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", **target},
        {"apiVersion": "v1", "kind": "Service", **service()},
    ]
