"""One container of a pod: started, probed, started again, ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from serinus import errors
from serinus.kube import kinds
from serinus.kube.recorder import EventType, Subject
from serinus.local_cluster.node import limits, references
from serinus.local_cluster.node.context import NodeContext
from serinus.local_cluster.node.pods import child, handlers, launch, state
from serinus.local_cluster.node.pods.child import Child
from serinus.local_cluster.node.pods.ending import Ending
from serinus.local_cluster.node.pods.handlers import HandlerError, Target
from serinus.local_cluster.node.pods.launch import Launch, Placement, StartError
from serinus.local_cluster.node.pods.probes import Prober
from serinus.local_cluster.node.pods.spec import Container, Pod, Probe
from serinus.local_cluster.node.pods.state import ContainerView, Running, Terminated, Waiting

Place = Callable[[tuple[int, ...]], Awaitable[Placement]]
"""Finds where a container's ports can be listened on."""
_HOOK_MAX_MS = 3_600_000
_RETRY_MS = 1_000


class ContainerRunner:
    """Keep one container as its pod wants it; `view` is what the pod's status says of it."""

    def __init__(
        self,
        context: NodeContext,
        pod: Pod,
        container: Container,
        *,
        is_init: bool,
        place: Place,
        changed: Callable[[], None],
    ) -> None:
        self._context = context
        self._pod = pod
        self.container = container
        self.is_sidecar = is_init and container.restart_policy == "Always"
        self._is_init = is_init
        self._changed = changed
        self._place = place
        self._placement = Placement("", "", {})
        self._run_count = 0
        self._child: Child | None = None
        self._target: Target | None = None
        self._prober: Prober | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending: Ending | None = None
        self.started = asyncio.Event()
        self._spawning = False
        self._stopping = False
        self._pause_ms = 0
        self._started_at = 0
        waiting = Waiting("PodInitializing" if pod.spec.init_containers else "ContainerCreating")
        self.view = ContainerView(
            name=container.name, image=container.image, state=waiting, is_sidecar=self.is_sidecar
        )

    def resume(self, before: dict[str, Any]) -> None:
        """Go on from the status of a run that ended with an earlier node."""
        count: int = before.get("restartCount", 0)
        ended = state.lost(before, self._context.clock.now_ms())
        if ended is None:
            self._run_count = count
            self.view = msgspec.structs.replace(self.view, restart_count=count)
        elif self._is_to_run_again(ended):
            self._run_count = count + 1
            self.view = msgspec.structs.replace(
                self.view, last_state=ended, restart_count=self._run_count
            )
        else:
            self._run_count = count
            self.view = msgspec.structs.replace(self.view, state=ended, restart_count=count)

    def start(self) -> None:
        """Begin to run it."""
        name = f"container {self._pod.words}/{self.container.name}"
        self._task = asyncio.create_task(self._run(), name=name)

    async def finished(self) -> None:
        """Wait until it has ended and is not to be started again."""
        if self._task is not None:
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.result()

    async def stop(self, grace_ms: int, message: str) -> None:
        """End it for good: preStop, TERM, and KILL when the grace is over."""
        self._stopping = True
        if self._task is None or self._task.done():
            return
        if self._child is not None:
            self._end(grace_ms, message)
        elif not self._spawning:
            self._task.cancel()
        await asyncio.wait([self._task])

    def shorten(self, grace_ms: int) -> None:
        """Leave no more than this for an end that is under way."""
        if self._ending is not None:
            self._ending.shorten(grace_ms)

    # What probes tell.

    def probe_started(self) -> None:
        """Hear that the container has started."""
        self._update(started=True)
        self.started.set()

    def probe_ready(self, *, ready: bool) -> None:
        """Hear whether it is ready."""
        self._update(ready=ready)

    def probe_unhealthy(self, what: str, message: str) -> None:
        """Hear of a single failure of a probe."""
        self._event("Unhealthy", f"{what} probe failed: {message}", "Warning")

    def probe_dead(self, what: str, probe: Probe) -> None:
        """Hear that a probe wants the container started anew."""
        seconds = probe.termination_grace_period_seconds
        if seconds is None:
            seconds = self._pod.spec.termination_grace_period_seconds
        name = self.container.name
        self._end(1000 * seconds, f"Container {name} failed {what} probe, will be restarted")

    # One run after the other.

    async def _run(self) -> None:
        if self.view.has_ended and not self._is_init:
            # It ended with an earlier node, and its pod does not want it again.
            return
        while not self._stopping:
            try:
                ended = await self._run_once()
            except StartError as e:
                if e.reason != "StartError":
                    await self._wait_out(e)
                    continue
                ended = self._not_started(e)
            if not self._is_to_run_again(ended):
                return
            await self._back_off(ended)

    async def _run_once(self) -> Terminated:
        prepared = await self._prepare()
        limited = limits.of(self.container.resources)
        self._spawning = True
        try:
            self._child = await child.start(
                prepared,
                self._folder,
                run_count=self._run_count,
                pod_uid=self._pod.uid,
                limits=limited.limits,
            )
        finally:
            self._spawning = False
        process = self._child
        self._target = Target(
            self.container,
            self._placement.address,
            self._placement.ports,
            prepared.env,
            prepared.folder,
        )
        self._event("Created", f"Container created: {self.container.name}")
        if limited.left_out:
            self._event("LimitNotEnforced", limited.words)
        await process.loaded(self._context.settings.loaded_within_ms)
        self._started_at = self._context.clock.now_ms()
        self._update(state=Running(self._started_at), container_id=self._id(process))
        if process.is_alive:
            self._event("Started", f"Container started: {self.container.name}")
        if self._stopping:
            self._end(
                self._context.settings.shortest_grace_ms,
                f"Stopping container {self.container.name}",
            )
        else:
            await self._post_start(self._target)
        if self._ending is None and process.is_alive:
            self._prober = Prober(self._target, self)
            self._prober.start()
        return await self._until_end(process)

    async def _until_end(self, process: Child) -> Terminated:
        code = await asyncio.shield(process.ended)
        if self._prober is not None:
            await self._prober.stop()
            self._prober = None
        if self._ending is not None:
            await self._ending.finished()
            self._ending = None
        self._child = None
        ended = Terminated(
            code,
            "Completed" if code == 0 else "Error",
            self._started_at,
            self._context.clock.now_ms(),
            self._id(process),
        )
        self._update(state=ended, ready=False, started=False)
        return ended

    async def _prepare(self) -> Launch:
        container = self.container
        entry = launch.entry_for(container, self._context.catalogue)
        self._placement = await self._place(launch.ports_of(container, entry))
        while True:
            try:
                lookup = await references.read(
                    self._context.client, self._pod.metadata.namespace, container
                )
                break
            except errors.Unavailable:
                await asyncio.sleep(_RETRY_MS / 1000)
            except errors.ClusterError as e:
                raise StartError("CreateContainerConfigError", str(e)) from e
        prepared = launch.prepare(
            self._pod, container, entry=entry, place=self._placement, lookup=lookup
        )
        self._tell_what_runs(prepared)
        return prepared

    def _tell_what_runs(self, prepared: Launch) -> None:
        entry = prepared.entry
        image_id = f"serinus.local/{entry.pattern}" if entry else "serinus.local/command"
        self._update(image_id=image_id)
        if entry is None:
            return
        what = f": {entry.note}" if entry.note else ""
        self._event(
            "Pulled",
            f'Container image "{self.container.image}" is played by the catalogue entry '
            f'"{entry.pattern}"{what}',
        )

    def _not_started(self, problem: StartError) -> Terminated:
        now = self._context.clock.now_ms()
        self._event("Failed", f"Error: {problem}", "Warning")
        ended = Terminated(128, problem.reason, None, now, message=str(problem))
        self._update(state=ended, ready=False, started=False)
        return ended

    async def _wait_out(self, problem: StartError) -> None:
        """Show why it does not start, and try again later, more and more seldom."""
        self._event("Failed", f"Error: {problem.reason}: {problem}", "Warning")
        self._update(state=Waiting(problem.reason, str(problem)))
        self._next_pause()
        if problem.reason == "ErrImagePull":
            # What kubectl shows while the next attempt is waited for.
            await asyncio.sleep(_RETRY_MS / 1000)
            self._event("BackOff", f'Back-off pulling image "{self.container.image}"', "Warning")
            words = f'Back-off pulling image "{self.container.image}": {problem}'
            self._update(state=Waiting("ImagePullBackOff", words))
        await asyncio.sleep(self._pause_ms / 1000)

    async def _back_off(self, ended: Terminated) -> None:
        """Wait before the next run; the first one after a long run comes at once."""
        settings = self._context.settings
        ran_ms = ended.finished_at - (ended.started_at or ended.finished_at)
        self._run_count += 1
        if ran_ms >= settings.restart_forgotten_ms or self._run_count == 1:
            self._pause_ms = 0
            self._update(
                last_state=ended,
                restart_count=self._run_count,
                state=Waiting("ContainerCreating"),
            )
            return
        self._next_pause()
        name, pod = self.container.name, self._pod.metadata
        words = f"back-off {self._pause_ms // 1000}s restarting failed container={name}"
        where = f"pod={pod.name}_{pod.namespace}({pod.uid})"
        self._event(
            "BackOff", f"Back-off restarting failed container {name} in pod {pod.name}", "Warning"
        )
        self._update(last_state=ended, state=Waiting("CrashLoopBackOff", f"{words} {where}"))
        await asyncio.sleep(self._pause_ms / 1000)
        self._update(restart_count=self._run_count)

    def _next_pause(self) -> None:
        settings = self._context.settings
        doubled = 2 * self._pause_ms or settings.restart_first_ms
        self._pause_ms = min(doubled, settings.restart_ceiling_ms)

    def _is_to_run_again(self, ended: Terminated) -> bool:
        if self._stopping:
            return False
        if self.is_sidecar:
            return True
        policy = self.container.restart_policy or self._pod.spec.restart_policy
        if self._is_init or policy == "OnFailure":
            return policy != "Never" and ended.exit_code != 0
        return policy == "Always"

    def _end(self, grace_ms: int, message: str) -> None:
        """Begin to end the present run; a second call can only shorten the grace."""
        if self._ending is not None:
            self._ending.shorten(grace_ms)
            return
        if self._child is None or self._target is None:
            return
        self._event("Killing", message)
        if self._prober is not None:
            self._prober.stop_deadly()
        self._ending = Ending(
            self._child,
            grace_ms=grace_ms,
            shortest_grace_ms=self._context.settings.shortest_grace_ms,
            clock=self._context.clock,
        )
        hook = self.container.lifecycle.pre_stop if self.container.lifecycle else None
        self._ending.start(hook, self._target, self._hook_failed)

    def _hook_failed(self, why: str) -> None:
        self._event("FailedPreStopHook", f"PreStopHook failed: {why}", "Warning")

    async def _post_start(self, target: Target) -> None:
        hook = self.container.lifecycle.post_start if self.container.lifecycle else None
        if hook is None:
            return
        try:
            await handlers.run(hook, target, _HOOK_MAX_MS)
        except HandlerError as e:
            self._event("FailedPostStartHook", f"PostStartHook failed: {e}", "Warning")
            grace_ms = 1000 * self._pod.spec.termination_grace_period_seconds
            self._end(grace_ms, f"FailedPostStartHook: container {self.container.name}")

    # Telling.

    @property
    def _folder(self) -> Path:
        return self._context.pods_folder / self._pod.uid / self.container.name

    def _id(self, process: Child) -> str:
        return f"serinus://{self._pod.uid}-{self.container.name}-{self._run_count}-{process.pid}"

    def _update(self, **changes: Any) -> None:
        view = msgspec.structs.replace(self.view, **changes)
        if view != self.view:
            self.view = view
            self._changed()

    def _event(self, reason: str, message: str, event_type: EventType = "Normal") -> None:
        metadata = self._pod.metadata
        group = "initContainers" if self._is_init else "containers"
        subject = Subject(
            kinds.PODS,
            metadata.namespace,
            metadata.name,
            metadata.uid,
            f"spec.{group}{{{self.container.name}}}",
        )
        self._context.recorder.record(subject, reason, message, event_type=event_type)
