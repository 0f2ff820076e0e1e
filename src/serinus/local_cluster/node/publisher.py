"""Tell the API server a pod's status: the newest, as soon as it changes, until it is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from serinus import errors
from serinus.kube import kinds
from serinus.kube.client import Client, PatchType

_log = structlog.get_logger("serinus.local_cluster.node")

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


async def is_gone(client: Client, key: tuple[str, str], uid: str) -> bool:
    """Return whether this very pod is surely there no more.

    A conflict alone does not say so: a busy API server answers with one, too, when others changed
    the pod again and again while it tried (apiserver, endpoints/handlers/patch.go).
    """
    try:
        pod = await client.find(kinds.PODS, key[1], key[0])
    except errors.ClusterError:
        return False
    return pod is None or pod["metadata"]["uid"] != uid


class StatusPublisher:
    """Publish what `build` returns, whenever it may have changed."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        name: str,
        uid: str,
        build: Callable[[], dict[str, Any]],
        lost: Callable[[], None],
    ) -> None:
        self.published: dict[str, Any] | None = None
        self._client = client
        self._namespace, self._name, self._uid = namespace, name, uid
        self._build = build
        self._lost = lost
        self._dirty = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def changed(self) -> None:
        """Hear that the status may be another."""
        self._quiet.clear()
        self._dirty.set()

    async def flushed(self) -> None:
        """Wait until the API server knows the newest status, or the pod is gone."""
        await self._quiet.wait()

    async def run(self) -> None:
        """Publish until cancelled, or until the pod is gone."""
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            status = self._build()
            try:
                if status != self.published:
                    await self._patch(status)
                    self.published = status
            except errors.ClusterError as e:
                if await self._is_lost(e):
                    self._quiet.set()
                    self._lost()
                    return
                if not isinstance(e, errors.Unavailable):
                    _log.warning(
                        "status refused", pod=f"{self._namespace}/{self._name}", why=str(e)
                    )
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                self._dirty.set()
                continue
            pause_s = _FIRST_PAUSE_S
            if not self._dirty.is_set():
                self._quiet.set()

    async def _is_lost(self, error: errors.ClusterError) -> bool:
        if not isinstance(error, errors.NotFound | errors.Conflict):
            return False
        return await is_gone(self._client, (self._namespace, self._name), self._uid)

    async def _patch(self, status: dict[str, Any]) -> None:
        # The uid is a precondition: a pod of the same name made anew is another pod.
        body = {"metadata": {"uid": self._uid}, "status": status}
        await self._client.patch(
            kinds.PODS,
            self._name,
            self._namespace,
            body,
            patch_type=PatchType.STRATEGIC,
            subresource="status",
        )
