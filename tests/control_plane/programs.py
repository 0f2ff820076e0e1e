"""The programs of a control plane as child processes with a log each, and waiting for them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

from serinus.process import spawn, stop

_READY_WITHIN_MS = 60_000
_LOG_CHARACTERS_MAX = 4_000


class ControlPlaneError(Exception):
    """A program of the control plane ended or did not get ready; the message ends with its log."""


class Programs:
    """Programs that run together and are ended together; each writes into one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._starts: dict[str, tuple[Path, tuple[str, ...], Mapping[str, str] | None]] = {}

    def pids(self) -> list[int]:
        """Return the process ids of all programs."""
        return [process.pid for process in self._processes.values()]

    def log(self, name: str) -> str:
        """Return what one of the programs wrote so far."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def start(
        self, program: Path, *arguments: str, env: Mapping[str, str] | None = None
    ) -> None:
        """Start a program, which goes by the name of its file."""
        self._starts[program.name] = (program, arguments, env)
        with (self.folder / f"{program.name}.log").open("ab") as log:
            self._processes[program.name] = await spawn(
                [str(program), *arguments],
                cwd=self.folder,
                env=env,
                stdout=log,
                stderr=log,
                die_with_parent=True,
            )

    async def restart(self, name: str) -> None:
        """Kill a program, and start it again as it was."""
        process = self._processes[name]
        process.kill()
        await process.wait()
        program, arguments, env = self._starts[name]
        await self.start(program, *arguments, env=env)

    async def until(self, name: str, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait for what one of the programs brings about.

        Raises:
            ControlPlaneError: some program ended, or it took too long.
        """
        deadline = time.monotonic() + _READY_WITHIN_MS / 1000
        while not await condition():
            self._refuse_the_dead()
            if time.monotonic() > deadline:
                raise ControlPlaneError(self._report(name, "was not ready in time"))
            await asyncio.sleep(0.05)

    @contextlib.contextmanager
    def suspended(self, name: str) -> Iterator[None]:
        """Stop a program where it stands for the block, as a machine that hangs does."""
        process = self._processes[name]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        """End all programs, the last one started first."""
        for name in reversed(self._processes):
            # etcd waits for its clients; nothing of its data is wanted any more.
            await stop(self._processes[name], grace_ms=500)
        self._processes.clear()

    def _refuse_the_dead(self) -> None:
        for name, process in self._processes.items():
            if process.returncode is not None:
                raise ControlPlaneError(self._report(name, f"exited with {process.returncode}"))

    def _report(self, name: str, what: str) -> str:
        end = self.log(name)[-_LOG_CHARACTERS_MAX:]
        return f"{name} {what}; the end of {self.folder / name}.log:\n{end}"
