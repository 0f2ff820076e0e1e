"""What a node does to pods, as writes to the model: take one on, report on it, let it go."""

from __future__ import annotations

from serinus import kubernetes_model as model
from serinus.clock import Instant
from serinus.kubernetes_model import timestamps
from serinus.kubernetes_model.kinds import PODS
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import is_ready

NODE = "node"
_KUBELET = model.WriteOptions(field_manager="kubelet")
_AT_ONCE = model.DeleteOptions(grace_seconds=0)


def bind(cluster: model.Cluster, pod: Manifest, now: Instant) -> None:
    """Take a pod on."""
    meta = pod["metadata"]
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
    }
    cluster.create(PODS, body, meta["namespace"], now=now, name=meta["name"], subresource="binding")


def report(cluster: model.Cluster, pod: Manifest, now: Instant, *, ready: bool) -> None:
    """Report a pod as running, ready or not."""
    meta = pod["metadata"]
    status = "True" if ready else "False"
    conditions = [
        {"type": kind, "status": status, "lastTransitionTime": timestamps.time(now)}
        for kind in ("ContainersReady", "Ready")
    ]
    address = "127.0.0.1"
    cluster.patch(
        PODS,
        meta["name"],
        {
            "status": {
                "phase": "Running",
                "podIP": address,
                "podIPs": [{"ip": address}],
                "conditions": conditions,
            }
        },
        meta["namespace"],
        patch_type=model.PatchType.MERGE,
        now=now,
        options=_KUBELET,
        subresource="status",
    )


def let_go(cluster: model.Cluster, pod: Manifest, now: Instant) -> None:
    """Remove a pod whose processes have ended."""
    meta = pod["metadata"]
    cluster.delete(PODS, meta["name"], meta["namespace"], now=now, options=_AT_ONCE)


def advance(cluster: model.Cluster, pod: Manifest, now: Instant) -> bool:
    """Take a pod all the way that it can go now, as an eager node; tell whether there was one."""
    if "deletionTimestamp" in pod["metadata"]:
        let_go(cluster, pod, now)
        return True
    if is_ready(pod):
        return False
    if not pod["spec"].get("nodeName"):
        bind(cluster, pod, now)
    report(cluster, pod, now, ready=True)
    return True
