"""Pods that are only said to run: a kubelet's answers to the API server, without processes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

from serinus import errors
from serinus.kube import kinds, timestamps
from serinus.kube.cache import Cache
from serinus.kube.client import Client, Manifest
from serinus.kube.requests import PatchType
from serinus.process import SystemClock

NODE, NODE_ADDRESS = "node-1", "10.78.0.1"
READY_S = 1.0
_WORKER_COUNT = 16


class Kubelet:
    """Say of each pod that it is ready a second after it came, and let it go when told to."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._due: asyncio.Queue[tuple[str, Manifest]] = asyncio.Queue()
        self._started: set[str] = set()
        self._addresses = itertools.count(256)

    def hear(self, event: str, pod: Manifest) -> None:
        """Take note of a pod."""
        uid = pod["metadata"]["uid"]
        if event == "DELETED":
            self._started.discard(uid)
        elif "deletionTimestamp" in pod["metadata"]:
            self._due.put_nowait(("stop", pod))
        elif uid not in self._started:
            self._started.add(uid)
            self._due.put_nowait(("bind", pod))
            loop = asyncio.get_running_loop()
            loop.call_later(READY_S, self._due.put_nowait, ("run", pod))

    async def work(self) -> None:
        """Tell the API server, until cancelled."""
        while True:
            what, pod = await self._due.get()
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            with contextlib.suppress(errors.NotFound, errors.Conflict):
                if what == "stop":
                    await self._client.delete(kinds.PODS, name, namespace, grace_period_s=0)
                elif what == "bind":
                    target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
                    body = {"metadata": {"name": name}, "target": target}
                    await self._client.create(
                        kinds.PODS, body, namespace, subresource="binding", name=name
                    )
                else:
                    await self._client.patch(
                        kinds.PODS,
                        name,
                        namespace,
                        {"status": self._status()},
                        patch_type=PatchType.STRATEGIC,
                        subresource="status",
                    )

    def _status(self) -> dict[str, Any]:
        number = next(self._addresses)
        address = f"10.244.{number // 256 % 256}.{number % 256}"
        now = timestamps.format_seconds(SystemClock().now_ms())
        words = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        return {
            "phase": "Running",
            "hostIP": NODE_ADDRESS,
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now,
            "conditions": [
                {"type": word, "status": "True", "lastTransitionTime": now} for word in words
            ],
        }


@contextlib.asynccontextmanager
async def running(client: Client, namespace: str) -> AsyncIterator[None]:
    """Play the kubelet of all pods of a namespace for the block."""
    await client.create(kinds.NODES, {"metadata": {"name": NODE}})
    ready = {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}
    await client.patch(
        kinds.NODES,
        NODE,
        None,
        {"status": ready},
        patch_type=PatchType.STRATEGIC,
        subresource="status",
    )
    kubelet = Kubelet(client)
    cache = Cache(client, kinds.PODS, namespace)
    cache.add_listener(kubelet.hear)
    workers = [asyncio.ensure_future(kubelet.work()) for _ in range(_WORKER_COUNT)]
    try:
        async with cache:
            yield
            for worker in workers:
                if worker.done():
                    worker.result()
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)
