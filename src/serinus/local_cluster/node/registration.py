"""The Node object: made when it is missing, and told at intervals that we live."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
from typing import Any

import psutil
import structlog

import serinus
from serinus import errors
from serinus.kube import kinds, timestamps
from serinus.kube.client import PatchType
from serinus.local_cluster.node.context import NodeContext

_log = structlog.get_logger("serinus.local_cluster.node")

KUBELET_VERSION = f"v1.36.3+serinus-{serinus.__version__}"
_PODS_MAX = 250
_RETRY_S = 0.5


class Registration:
    """Keep the Node object: without a ready one, endpoints of its pods do not count."""

    def __init__(self, context: NodeContext) -> None:
        self._context = context
        self._since = timestamps.format_seconds(context.clock.now_ms())
        self.done = asyncio.Event()

    async def run(self) -> None:
        """Register, and refresh at intervals, until cancelled."""
        while True:
            try:
                await self._refresh(ready=True)
            except errors.Unavailable as e:
                _log.info("node not registered", why=str(e))
                await asyncio.sleep(_RETRY_S)
                continue
            self.done.set()
            await asyncio.sleep(self._context.settings.heartbeat_ms / 1000)

    async def sign_off(self) -> None:
        """Tell that the node is no longer there, if the API server still answers."""
        with contextlib.suppress(errors.ClusterError, TimeoutError):
            async with asyncio.timeout(1):
                await self._refresh(ready=False)

    @property
    def labels(self) -> dict[str, str]:
        """What a pod's nodeSelector is compared with."""
        return {
            "kubernetes.io/hostname": self._context.settings.node_name,
            "kubernetes.io/os": platform.system().lower(),
            "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(
                platform.machine(), platform.machine()
            ),
        }

    async def _refresh(self, *, ready: bool) -> None:
        client, name = self._context.client, self._context.settings.node_name
        body = {"status": self._status(ready=ready)}
        for _ in range(2):
            try:
                await client.patch(
                    kinds.NODES,
                    name,
                    None,
                    body,
                    patch_type=PatchType.STRATEGIC,
                    subresource="status",
                )
            except errors.NotFound:
                await self._create()
            else:
                return

    async def _create(self) -> None:
        settings = self._context.settings
        body = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": settings.node_name, "labels": self.labels},
            "spec": {"podCIDR": self._context.addresses.cidr},
        }
        with contextlib.suppress(errors.AlreadyExists):
            await self._context.client.create(kinds.NODES, body)

    def _status(self, *, ready: bool) -> dict[str, Any]:
        settings = self._context.settings
        now = timestamps.format_seconds(self._context.clock.now_ms())
        room = {
            "cpu": str(os.cpu_count() or 1),
            "memory": f"{psutil.virtual_memory().total // 1024}Ki",
            "pods": str(_PODS_MAX),
        }
        system = platform.system().lower()
        return {
            "addresses": [
                {"type": "InternalIP", "address": settings.node_address},
                {"type": "Hostname", "address": settings.node_name},
            ],
            "capacity": room,
            "allocatable": room,
            "conditions": [
                self._condition("MemoryPressure", "False", "KubeletHasSufficientMemory", now),
                self._condition("DiskPressure", "False", "KubeletHasNoDiskPressure", now),
                self._condition("PIDPressure", "False", "KubeletHasSufficientPID", now),
                self._condition("Ready", "True", "KubeletReady", now)
                if ready
                else self._condition("Ready", "False", "NodeStopped", now),
            ],
            "nodeInfo": {
                "kubeletVersion": KUBELET_VERSION,
                "kubeProxyVersion": "",
                "containerRuntimeVersion": f"serinus://{serinus.__version__}",
                "osImage": f"{platform.system()} (pods are processes)",
                "kernelVersion": platform.release(),
                "operatingSystem": system,
                "architecture": self.labels["kubernetes.io/arch"],
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
            },
        }

    def _condition(self, kind: str, status: str, reason: str, now: str) -> dict[str, str]:
        since = self._since if kind != "Ready" or status == "True" else now
        return {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": f"serinus node: {reason}",
            "lastHeartbeatTime": now,
            "lastTransitionTime": since,
        }
