"""What a pod printed: the node's files, line by line, followed for as long as the container runs.

The files are `pods/<uid>/<container>/<restart>.log` under the state folder, written by the
processes themselves: a container keeps its output though the node may be slow. So no line has a
time of its own, and what asks for one is refused rather than guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model import Object, failures, timestamps
from serinus.kubernetes_model.kinds import PODS
from serinus.local_cluster.server.live_cluster import LiveCluster
from serinus.local_cluster.server.serving.call import Call
from serinus.local_cluster.server.serving.targets import Target

_POLL_S = 0.1
_CHUNK = 256 * 1024


class LogOptions(msgspec.Struct, frozen=True):
    """Which lines of which container, and how to say them."""

    namespace: str
    pod: str
    uid: str
    container: str
    restart_count: int
    follow: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None


class PodLogs:
    """Read the files that `node` writes."""

    def __init__(self, live: LiveCluster, folder: Path) -> None:
        self._live = live
        self._folder = folder

    def options(self, call: Call, target: Target) -> LogOptions:
        """Read what a call asks for and check it against the pod.

        Raises:
            NotFound: there is no such pod.
            Invalid: no such container, or it has not run yet.
        """
        pod = self._live.cluster.get(PODS, target.name or "", target.namespace)
        container = call.query.get("container") or _only_container(pod)
        restart_count = _restart(pod, container, previous=call.flag("previous"))
        if call.flag("timestamps"):
            raise _no_times("--timestamps")
        since = _since(call, self._live.clock.now_ms())
        if since is not None and not _began_after(pod, container, restart_count, since):
            raise _no_times("--since")
        return LogOptions(
            namespace=target.namespace or "",
            pod=target.name or "",
            uid=pod["metadata"]["uid"],
            container=container,
            restart_count=restart_count,
            follow=call.flag("follow") and not call.flag("previous"),
            tail_lines=call.number("tailLines"),
            limit_bytes=call.number("limitBytes"),
        )

    async def chunks(self, options: LogOptions) -> AsyncGenerator[bytes, None]:
        """Yield the lines that are asked for; when following, until the container has ended."""
        path = self._folder / options.uid / options.container / f"{options.restart_count}.log"
        left = options.limit_bytes
        position = await asyncio.to_thread(_tail_position, path, options.tail_lines)
        while True:
            # Asked first: what was printed before the end is then read after it.
            over = not options.follow or self._is_over(options)
            raw = await asyncio.to_thread(_read, path, position)
            position += len(raw)
            if left is not None:
                raw = raw[:left]
                left -= len(raw)
            if raw:
                yield raw
            elif over:
                return
            else:
                await asyncio.sleep(_POLL_S)
            if left == 0:
                return

    def _is_over(self, options: LogOptions) -> bool:
        """Tell whether the container that is followed will print nothing more."""
        try:
            pod = self._live.cluster.get(PODS, options.pod, options.namespace)
        except errors.NotFound:
            return True
        if pod["metadata"]["uid"] != options.uid:
            return True
        status = _status_of(pod, options.container)
        if status is None:
            return False
        if status.get("restartCount", 0) > options.restart_count:
            return True
        return "terminated" in (status.get("state") or {})


def _read(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read(_CHUNK)
    except FileNotFoundError:
        return b""


def _tail_position(path: Path, line_count: int | None) -> int:
    """Return where the last lines of a file begin."""
    if line_count is None:
        return 0
    try:
        with path.open("rb") as file:
            position = end = file.seek(0, 2)
            found = b""
            while position > 0 and found.count(b"\n") <= line_count:
                step = min(_CHUNK, position)
                position -= step
                file.seek(position)
                found = file.read(step) + found
    except FileNotFoundError:
        return 0
    lines = found.splitlines(keepends=True)
    return end - sum(len(line) for line in lines[max(0, len(lines) - line_count) :])


def _since(call: Call, now: Instant) -> Instant | None:
    """Return the instant from which on lines are asked for."""
    seconds, moment = call.number("sinceSeconds"), call.query.get("sinceTime")
    if seconds is not None:
        return now - seconds * 1000
    if not moment:
        return None
    try:
        return timestamps.parse(moment)
    except ValueError as e:
        raise failures.bad_request(f"sinceTime: {e}") from e


def _began_after(pod: Object, container: str, restart_count: int, since: Instant) -> bool:
    """Tell whether all that a run printed is younger than an instant."""
    status = _status_of(pod, container) or {}
    runs = [status.get("state") or {}, status.get("lastState") or {}]
    is_last = restart_count == status.get("restartCount", 0)
    for state in runs[:1] if is_last else runs[1:]:
        for form in ("running", "terminated"):
            began = (state.get(form) or {}).get("startedAt")
            if began:
                return timestamps.parse(began) >= since
    return True


def _no_times(option: str) -> Exception:
    return failures.bad_request(
        f"the local cluster does not keep the time of each line that a pod prints: leave out "
        f"{option}, or use --tail"
    )


def _only_container(pod: Object) -> str:
    names = [str(c["name"]) for c in pod["spec"].get("containers") or ()]
    if len(names) == 1:
        return names[0]
    raise failures.bad_request(
        f"a container name must be specified for pod {pod['metadata']['name']}, "
        f"choose one of: [{' '.join(names)}]"
    )


def _status_of(pod: Object, container: str) -> Object | None:
    status = pod.get("status") or {}
    for key in ("containerStatuses", "initContainerStatuses"):
        for found in status.get(key) or ():
            if found["name"] == container:
                return dict(found)
    return None


def _restart(pod: Object, container: str, *, previous: bool) -> int:
    """Return the number of the run whose lines are asked for."""
    name = pod["metadata"]["name"]
    spec = pod["spec"]
    known = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    if container not in {c["name"] for c in known}:
        raise failures.bad_request(f"container {container} is not valid for pod {name}")
    status = _status_of(pod, container)
    if status is None:
        raise failures.bad_request(
            f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating'
        )
    count = int(status.get("restartCount", 0))
    if previous:
        if count == 0:
            raise failures.bad_request(
                f'previous terminated container "{container}" in pod "{name}" not found'
            )
        return count - 1
    state = status.get("state") or {}
    if "waiting" in state:
        if status.get("lastState", {}).get("terminated"):
            # Between two runs the last one's lines are shown, as the kubelet does.
            return count
        reason = state["waiting"].get("reason", "ContainerCreating")
        raise failures.bad_request(
            f'container "{container}" in pod "{name}" is waiting to start: {reason}'
        )
    return count
