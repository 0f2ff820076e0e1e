"""One run of a container: its process, its log, and the word that it has loaded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from serinus import process
from serinus.local_cluster import state_folder
from serinus.local_cluster.node import records
from serinus.local_cluster.node.pods.launch import Launch, StartError

READY_DESCRIPTOR = "SERINUS_READY_FD"


class Child:
    """A running process; make one with `start`."""

    def __init__(
        self, started: asyncio.subprocess.Process, folder: Path, ready: int | None
    ) -> None:
        self.pid = started.pid
        self.ended = asyncio.create_task(self._wait(), name=f"end of process {started.pid}")
        self._process = started
        self._folder = folder
        self._ready = ready

    async def _wait(self) -> int:
        """Wait for the end; return the exit code as a shell would tell it."""
        code = await self._process.wait()
        # What it started itself ends with it, as in a container.
        process.signal_group(self.pid, signal.SIGKILL)
        records.forget(self._folder)
        return 128 - code if code < 0 else code

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return not self.ended.done()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and all that it started."""
        if self.is_alive:
            process.signal_group(self.pid, number)

    async def loaded(self, timeout_ms: int) -> None:
        """Wait until the program has told that it has loaded, has ended, or the time is over."""
        if self._ready is None:
            return
        descriptor, self._ready = self._ready, None
        loop = asyncio.get_running_loop()
        told = loop.create_future()

        def tell() -> None:
            if not told.done():
                told.set_result(None)

        loop.add_reader(descriptor, tell)
        try:
            await asyncio.wait(
                {told, self.ended},
                timeout=timeout_ms / 1000,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)


async def start(
    launch: Launch,
    folder: Path,
    *,
    run_count: int,
    pod_uid: str,
    limits: Mapping[int, int],
) -> Child:
    """Start a container's process; its output goes to `folder/RUN.log`.

    Raises:
        StartError: the program is missing or may not be run.
    """
    reading, writing = os.pipe() if launch.entry and launch.entry.notifies else (None, None)
    env = launch.env if writing is None else {**launch.env, READY_DESCRIPTOR: str(writing)}
    log = -1
    try:
        log = _open_log(folder, run_count)
        started = await process.spawn(
            launch.command,
            env=env,
            cwd=launch.folder,
            stdout=log,
            stderr=log,
            die_with_parent=True,
            inherited=() if writing is None else (writing,),
            limits=limits,
        )
    except (OSError, subprocess.SubprocessError, ValueError) as e:
        if reading is not None:
            os.close(reading)
        reason = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        raise StartError("StartError", f"exec {launch.command[0]!r}: {reason}") from e
    finally:
        if log >= 0:
            os.close(log)
        if writing is not None:
            os.close(writing)
    with contextlib.suppress(OSError):
        records.write(folder, started.pid, pod_uid)
    return Child(started, folder, reading)


def _open_log(folder: Path, run_count: int) -> int:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return state_folder.open_private(folder / f"{run_count}.log")
