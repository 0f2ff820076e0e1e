"""One pod from its binding to its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
import structlog

from serinus import errors
from serinus.kube import kinds, timestamps
from serinus.kube.recorder import EventType, Subject
from serinus.local_cluster.node.context import NodeContext
from serinus.local_cluster.node.pods import status
from serinus.local_cluster.node.pods.container import ContainerRunner
from serinus.local_cluster.node.pods.launch import Placement
from serinus.local_cluster.node.pods.spec import Container, Pod
from serinus.local_cluster.node.publisher import StatusPublisher, is_gone

_log = structlog.get_logger("serinus.local_cluster.node")

HOST_PORTS = "serinus.dev/host-ports"
"""Annotation of a pod: JSON from a port to the one that was allocated in its place."""
_LAST_STATUS_S = 5.0
_RETRY_S = 0.5
_RETRY_LONGEST_S = 5.0


class PodRunner:
    """Run the containers of one pod; the pod is this one, not a later one of the same name."""

    def __init__(self, context: NodeContext, pod: Pod) -> None:
        self.pod = pod
        self._context = context
        started = pod.status.get("startTime")
        self._started_at = timestamps.parse(started) if started else context.clock.now_ms()
        self._placement: Placement | None = None
        self._placing = asyncio.Lock()
        self._annotated = (pod.metadata.annotations or {}).get(HOST_PORTS)
        self._failure: tuple[str, str] | None = None
        self._stop = asyncio.Event()
        self._gone = asyncio.Event()
        self._grace_ms: int | None = None
        self._keep_object = False
        self._publisher = StatusPublisher(
            context.client,
            namespace=pod.metadata.namespace,
            name=pod.metadata.name,
            uid=pod.uid,
            build=self._build_status,
            lost=self.removed,
        )
        self._init = [self._runner(c, is_init=True) for c in pod.spec.init_containers or ()]
        self._main = [self._runner(c, is_init=False) for c in pod.spec.containers]
        if pod.metadata.deletion_timestamp:
            self.update(pod)

    def update(self, pod: Pod) -> None:
        """Take in what the API server now has of the pod."""
        self.pod = pod
        if pod.metadata.deletion_timestamp:
            self._request_stop(pod.grace_ms)
        if pod.spec.readiness_gates:
            self._publisher.changed()

    def removed(self) -> None:
        """Hear that the object is gone: its processes are to follow."""
        self._gone.set()
        self._request_stop(self._context.settings.shortest_grace_ms)

    def shut_down(self, grace_ms: int) -> None:
        """End the processes because the node ends; the pod lives on in the API."""
        self._keep_object = True
        self._request_stop(min(grace_ms, 1000 * self.pod.spec.termination_grace_period_seconds))

    async def run(self) -> None:
        """Run the pod to its end, and take it out of the API when it was to be deleted."""
        if self._stop.is_set():
            # It was told to end before this node knew of it; nothing of it runs here.
            await self._delete()
            return
        publishing = asyncio.create_task(self._publisher.run())
        try:
            work = asyncio.create_task(self._work())
            await self._until_stopped_or(work)
            await self._end_all()
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.result()
            self._publisher.changed()
            if not self._keep_object:
                await self._until(self._publisher.flushed(), self._gone)
                await self._until_stop()
                await self._delete()
        finally:
            # Also after a defect of ours nothing of the pod goes on unwatched.
            await self._stop_in_order(self._context.settings.shortest_grace_ms)
            publishing.cancel()
            self._give_back()

    # Running.

    async def _work(self) -> None:
        address = self._context.addresses.take(self.pod.status.get("podIP"))
        settings = self._context.settings
        self._placement = Placement(address, settings.node_address, {}, settings.kubeconfig)
        self._publisher.changed()
        self._tell_of_mounts()
        for each in self._init:
            each.start()
            if each.is_sidecar:
                await each.started.wait()
            else:
                await each.finished()
                if not each.view.has_succeeded:
                    return
        for each in self._main:
            each.start()
        await self._all_finished(self._main)
        await self._stop_in_order(self._grace())

    async def _all_finished(self, runners: Iterable[ContainerRunner]) -> None:
        await asyncio.gather(*(r.finished() for r in runners))

    async def _place(self, ports: tuple[int, ...]) -> Placement:
        """Find where to listen for these ports; publish those that are not as declared."""
        async with self._placing:
            place = self._placement
            if place is None:
                raise errors.InvariantViolation(f"pod {self.pod.words} has no address yet")
            new = tuple(p for p in ports if p not in place.ports)
            if new:
                added = self._context.addresses.place(place.address, new)
                place = msgspec.structs.replace(place, ports={**place.ports, **added})
                self._placement = place
            moved = {str(port): actual for port, actual in place.moved.items()}
            text = json.dumps(moved) if moved else None
            if text != self._annotated:
                await self._until_answered(lambda: self._annotate(text))
                self._annotated = text
                self._tell_moved(place)
            return place

    def _tell_moved(self, place: Placement) -> None:
        for port, actual in place.moved.items():
            self._event(
                "PortMoved",
                f"port {port} may not be bound on {place.address} by this user; the container is "
                f"to listen on {actual} instead, which PORT or SERINUS_LISTEN tell it, and "
                "Services go there",
            )

    def _tell_of_mounts(self) -> None:
        containers = (*self.pod.spec.containers, *(self.pod.spec.init_containers or ()))
        paths = [
            mount.mount_path
            for container in containers
            for mount in container.volume_mounts or ()
            # The token for the API server is in every pod of a cluster with service accounts.
            if not mount.name.startswith("kube-api-access-")
        ]
        if paths:
            self._event(
                "VolumesNotMounted",
                f"{', '.join(paths)}: volumes are not mounted, since pods are processes here and "
                "see the machine's own files",
                event_type="Warning",
            )

    async def _annotate(self, text: str | None) -> None:
        metadata = self.pod.metadata
        body = {"metadata": {"uid": metadata.uid, "annotations": {HOST_PORTS: text}}}
        await self._context.client.patch(kinds.PODS, metadata.name, metadata.namespace, body)

    def _runner(self, container: Container, *, is_init: bool) -> ContainerRunner:
        runner = ContainerRunner(
            self._context,
            self.pod,
            container,
            is_init=is_init,
            place=self._place,
            changed=self._publisher.changed,
        )
        key = "initContainerStatuses" if is_init else "containerStatuses"
        for before in self.pod.status.get(key) or ():
            if before.get("name") == container.name:
                runner.resume(before)
        return runner

    # Ending.

    def _request_stop(self, grace_ms: int) -> None:
        if self._grace_ms is None or grace_ms < self._grace_ms:
            self._grace_ms = grace_ms
            for each in (*self._init, *self._main):
                each.shorten(grace_ms)
        self._stop.set()

    def _grace(self) -> int:
        if self._grace_ms is not None:
            return self._grace_ms
        return 1000 * self.pod.spec.termination_grace_period_seconds

    async def _until_stopped_or(self, work: asyncio.Task[None]) -> None:
        stopped = asyncio.create_task(self._stop.wait())
        limit_s = self.pod.spec.active_deadline_seconds
        done, _ = await asyncio.wait(
            {work, stopped}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
        )
        stopped.cancel()
        if not done:
            self._failure = (
                "DeadlineExceeded",
                "Pod was active on the node longer than the specified deadline",
            )

    async def _end_all(self) -> None:
        await self._stop_in_order(self._grace())

    async def _stop_in_order(self, grace_ms: int) -> None:
        """End the containers together, and after them the sidecars, the last one first."""
        mains = [*self._main, *(r for r in self._init if not r.is_sidecar)]
        await asyncio.gather(*(self._stop_one(r, grace_ms) for r in mains))
        for sidecar in reversed([r for r in self._init if r.is_sidecar]):
            await self._stop_one(sidecar, grace_ms)

    async def _stop_one(self, runner: ContainerRunner, grace_ms: int) -> None:
        await runner.stop(grace_ms, f"Stopping container {runner.container.name}")

    async def _until_stop(self) -> None:
        await self._stop.wait()

    async def _delete(self) -> None:
        """Take the pod out of the API: nothing of it runs any more."""
        if self._gone.is_set() or self._keep_object:
            return
        metadata = self.pod.metadata

        async def delete() -> None:
            await self._context.client.delete(
                kinds.PODS,
                metadata.name,
                metadata.namespace,
                grace_period_s=0,
                uid=metadata.uid,
            )

        await self._until_answered(delete)

    def _give_back(self) -> None:
        place = self._placement
        if place is not None:
            self._context.addresses.give_back(place.address, place.moved.values())

    # The outside.

    async def _until_answered(self, call: Callable[[], Awaitable[None]]) -> None:
        """Call until the API server has answered, or the pod is gone."""
        pause_s = _RETRY_S
        while not self._gone.is_set():
            try:
                await call()
            except (errors.NotFound, errors.Conflict, errors.Unavailable) as e:
                metadata = self.pod.metadata
                if not isinstance(e, errors.Unavailable) and await is_gone(
                    self._context.client, (metadata.namespace, metadata.name), metadata.uid
                ):
                    self._gone.set()
                    return
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _RETRY_LONGEST_S)
            else:
                return

    async def _until(self, work: Awaitable[None], event: asyncio.Event) -> None:
        tasks = {asyncio.ensure_future(work), asyncio.ensure_future(event.wait())}
        # A last status that is refused must not keep the pod from going.
        await asyncio.wait(tasks, timeout=_LAST_STATUS_S, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    def _build_status(self) -> dict[str, Any]:
        view = status.PodView(
            pod=self.pod,
            init=tuple(r.view for r in self._init),
            containers=tuple(r.view for r in self._main),
            started_at=self._started_at,
            host_ip=self._context.settings.node_address,
            pod_ip=self._placement.address if self._placement else None,
            failure=self._failure,
        )
        before = (self._publisher.published or self.pod.status).get("conditions") or ()
        return status.build(view, before, self._context.clock.now_ms())

    def _event(self, reason: str, message: str, event_type: EventType = "Normal") -> None:
        metadata = self.pod.metadata
        subject = Subject(kinds.PODS, metadata.namespace, metadata.name, metadata.uid)
        self._context.recorder.record(subject, reason, message, event_type=event_type)
