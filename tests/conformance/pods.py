"""What plays the kubelet: binds pods to a Node, makes them ready, lets terminating ones go.

It works through the same port as the cases, so it serves every cluster. It acts only when `step`
is called, which the clusters do while a case lets time pass.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from serinus.errors import AlreadyExists, Conflict, NotFound
from tests.conformance.cluster import Cluster, Object

NODE = "node-1"
NODE_ADDRESS = "10.78.0.1"
_ENDED = {"Failed", "Succeeded"}
_addresses = itertools.count(1)


def always(_: Object) -> bool:
    """Say yes to any pod."""
    return True


def never(_: Object) -> bool:
    """Say no to any pod."""
    return False


class InstantPods:
    """Bring the pods of a case's namespace to life as soon as they are seen."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._has_node = False
        self.ready_when: Callable[[Object], bool] = always
        self.gone_when: Callable[[Object], bool] = always

    async def step(self) -> None:
        """Take each pod one step further, where there is one to take."""
        for pod in (await self._cluster.list("pods")).items:
            try:
                await self._advance(pod)
            except (NotFound, Conflict):
                # It changed or went since the list; the next step sees what became of it.
                continue

    async def _advance(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        if "deletionTimestamp" in pod["metadata"]:
            if self.gone_when(pod):
                await self._cluster.delete("pods", name, grace_seconds=0)
        elif not pod["spec"].get("nodeName"):
            await self._bind(name)
        elif pod["status"].get("phase") in _ENDED:
            return
        elif _is_ready(pod) != self.ready_when(pod) or not pod["status"].get("podIP"):
            status = _status(pod, ready=self.ready_when(pod), now=timestamp(self._cluster.now_ms()))
            await self._cluster.patch(
                "pods", name, {"status": status}, type="strategic", subresource="status"
            )

    async def _bind(self, name: str) -> None:
        if not self._has_node:
            await self._create_node()
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name},
            "target": target,
        }
        await self._cluster.create("pods", body, name=name, subresource="binding")

    async def _create_node(self) -> None:
        """Create the Node: the EndpointSlice controller skips pods whose Node does not exist."""
        try:
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
            await self._cluster.create("nodes", node)
        except AlreadyExists:
            pass
        status = {
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}],
        }
        await self._cluster.patch(
            "nodes", NODE, {"status": status}, type="strategic", subresource="status"
        )
        self._has_node = True


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def timestamp(at_ms: int) -> str:
    """Return an instant as Kubernetes writes it, in whole seconds."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(pod: Object, *, ready: bool, now: str) -> dict[str, Any]:
    number = next(_addresses)
    address = pod["status"].get("podIP") or f"10.244.{number // 250}.{number % 250 + 1}"
    started = pod["metadata"]["creationTimestamp"]
    word = "True" if ready else "False"
    return {
        "phase": "Running",
        "hostIP": NODE_ADDRESS,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": started,
        "conditions": [
            {"type": "Initialized", "status": "True"},
            {"type": "Ready", "status": word, "lastTransitionTime": now},
            {"type": "ContainersReady", "status": word},
        ],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": ready,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": started}},
            }
            for container in pod["spec"]["containers"]
        ],
    }
