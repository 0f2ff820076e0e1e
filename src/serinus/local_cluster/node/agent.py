"""The node agent: binds pods to this node and has each of its pods run."""

from __future__ import annotations

import asyncio
import shutil
from collections import deque

import structlog

from serinus import errors
from serinus.kube import kinds
from serinus.kube.cache import Cache
from serinus.kube.recorder import EventType, Subject
from serinus.local_cluster.node.context import NodeContext
from serinus.local_cluster.node.pods import spec
from serinus.local_cluster.node.pods.runner import PodRunner
from serinus.local_cluster.node.pods.spec import Pod
from serinus.local_cluster.node.registration import Registration

_log = structlog.get_logger("serinus.local_cluster.node")

_RETRY_S = 0.5
_MARGIN_MS = 2_000
_AFTER_DEFECT_S = 5.0


class Agent:
    """Hold one runner for each pod of this node."""

    def __init__(self, context: NodeContext, registration: Registration) -> None:
        self._context = context
        self._registration = registration
        self._pods = Cache(context.client, kinds.PODS, decode=spec.decode)
        self._pods.add_listener(self._heard)
        self._runners: dict[str, PodRunner] = {}
        self._binding: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: deque[str] = deque()
        self._finished: set[str] = set()
        self._shutting_down = False

    @property
    def pod_count(self) -> int:
        """How many pods have a runner."""
        return len(self._runners)

    async def run(self) -> None:
        """Follow the pods until cancelled."""
        async with self._pods:
            await self._pods.synced()
            self._forget_old_folders()
            while True:
                await self._pods.wait_for_change()

    async def shut_down(self) -> None:
        """End all processes; the pods stay in the API and start again with the next node."""
        self._shutting_down = True
        grace_ms = self._context.settings.shutdown_grace_ms
        for runner in self._runners.values():
            runner.shut_down(grace_ms)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=(grace_ms + _MARGIN_MS) / 1000)

    def _heard(self, event_type: str, pod: Pod) -> None:
        if self._shutting_down:
            return
        runner = self._runners.get(pod.uid)
        if event_type == "DELETED":
            self._finished.discard(pod.uid)
            if runner is not None:
                runner.removed()
        elif runner is not None:
            runner.update(pod)
        elif pod.uid in self._finished:
            # The watch is behind: what it tells is older than the pod's end.
            return
        elif not pod.spec.node_name:
            self._consider(pod)
        elif pod.spec.node_name == self._context.settings.node_name:
            self._take_on(pod)

    # Binding.

    def _consider(self, pod: Pod) -> None:
        if pod.uid in self._binding or pod.metadata.deletion_timestamp or pod.spec.scheduling_gates:
            return
        labels = self._registration.labels
        wrong = {k: v for k, v in (pod.spec.node_selector or {}).items() if labels.get(k) != v}
        if wrong:
            words = ", ".join(f"{k}={v}" for k, v in sorted(wrong.items()))
            self._event(
                pod,
                "FailedScheduling",
                f"the node {self._context.settings.node_name} has no label {words}",
                "Warning",
            )
            return
        self._binding.add(pod.uid)
        self._run(self._bind(pod), f"binding of {pod.words}")

    async def _bind(self, pod: Pod) -> None:
        name, namespace = pod.metadata.name, pod.metadata.namespace
        node = self._context.settings.node_name
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": pod.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        await self._registration.done.wait()
        try:
            while True:
                try:
                    await self._context.client.create(
                        kinds.PODS, body, namespace, subresource="binding", name=name
                    )
                except errors.NotFound:
                    return
                except (errors.Unavailable, errors.Conflict):
                    if self._is_settled(pod):
                        return
                    await asyncio.sleep(_RETRY_S)
                    continue
                self._event(pod, "Scheduled", f"Successfully assigned {pod.words} to {node}")
                return
        finally:
            self._binding.discard(pod.uid)

    def _is_settled(self, pod: Pod) -> bool:
        """Return whether the pod is bound by now, or another one, or gone."""
        known = self._pods.get(pod.metadata.name, pod.metadata.namespace)
        return known is None or known.uid != pod.uid or bool(known.spec.node_name)

    # Running.

    def _take_on(self, pod: Pod) -> None:
        if pod.is_terminal and not pod.metadata.deletion_timestamp:
            # It has ended with an earlier node; only its deletion is left to be done.
            return
        if not pod.spec.containers:
            self._event(pod, "NotUnderstood", "the node cannot read this pod's spec", "Warning")
            return
        runner = PodRunner(self._context, pod)
        self._runners[pod.uid] = runner
        self._run(self._run_pod(runner), f"pod {pod.words}")

    async def _run_pod(self, runner: PodRunner) -> None:
        pod = runner.pod
        try:
            await runner.run()
        except Exception as e:  # noqa: BLE001 - one pod's trouble must not end the others
            _log.exception("pod failed", pod=pod.words)
            self._event(pod, "NodeError", f"{type(e).__name__}: {e}", "Warning")
            await asyncio.sleep(_AFTER_DEFECT_S)
            del self._runners[pod.uid]
            known = self._pods.get(pod.metadata.name, pod.metadata.namespace)
            if known is not None and known.uid == pod.uid:
                self._heard("MODIFIED", known)
            return
        del self._runners[pod.uid]
        self._finished.add(pod.uid)
        self._ended.append(pod.uid)
        while len(self._ended) > self._context.settings.ended_pods_kept_count:
            self._forget_folder(self._ended.popleft())

    def _forget_old_folders(self) -> None:
        """Remove the logs of pods that are gone since before this node started."""
        known = {p.uid for p in self._pods.items()}
        for folder in self._context.pods_folder.iterdir():
            if folder.name not in known:
                self._forget_folder(folder.name)

    def _forget_folder(self, uid: str) -> None:
        shutil.rmtree(self._context.pods_folder / uid, ignore_errors=True)

    def _run(self, work: object, name: str) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _event(self, pod: Pod, reason: str, message: str, event_type: EventType = "Normal") -> None:
        metadata = pod.metadata
        subject = Subject(kinds.PODS, metadata.namespace, metadata.name, metadata.uid)
        self._context.recorder.record(
            subject, reason, message, event_type=event_type, component="serinus-scheduler"
        )
