"""Envoy as our own child: started, watched, started again from the same files."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from serinus.errors import DataPlaneError
from serinus.process import signal_group, spawn, stop
from serinus.router_agent.admin import Admin

_REFUSAL = re.compile(r"config update (?:rejected|failure): (.*)")
_READY_WITHIN_S = 30.0
_POLL_S = 0.005
_PAUSE_MAX_S = 5.0
_WORDS_MAX = 50
_LINE_MAX = 2_000


class Settings(msgspec.Struct, frozen=True):
    """How Envoy is run."""

    program: Path
    bootstrap: Path
    concurrency: int = 1
    drain_ms: int = 5_000

    @property
    def command(self) -> Sequence[str]:
        """Return the command line."""
        return (
            *(str(self.program), "-c", str(self.bootstrap)),
            *("--concurrency", str(self.concurrency)),
            # A second Envoy on this host would not start otherwise.
            "--disable-hot-restart",
            # Else a field that Envoy does not know is dropped in silence.
            "--reject-unknown-dynamic-fields",
            *("--log-level", "warning", "--log-format", "%L %n: %v"),
        )


class Supervisor:
    """Keep one Envoy running until it is told to stop.

    Args:
        before_start: makes the files fit to start from; also called before each restart.
        say: takes a line for people.
    """

    def __init__(
        self,
        settings: Settings,
        admin: Admin,
        *,
        before_start: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._admin = admin
        self._before_start = before_start
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._refusals: deque[str] = deque(maxlen=_WORDS_MAX)
        self._refusal_count = 0
        self._told = asyncio.Event()
        self.restart_count = 0
        self.ready = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Return the process that runs, if one does."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and running else None

    @property
    def refusal_count(self) -> int:
        """Return how many refusals Envoy has told."""
        return self._refusal_count

    async def refusal(self, since_count: int, *, within_s: float = 1.0) -> str:
        """Return Envoy's own words about an update that it refused."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._refusal_count <= since_count:
                    self._told.clear()
                    await self._told.wait()
        told = self._refusal_count > since_count
        return self._refusals[-1] if told else "Envoy refused it and did not say why"

    async def start(self) -> None:
        """Start Envoy and wait until it serves.

        Raises:
            DataPlaneError: it ended, or it did not become ready in time; with its words.
        """
        await self._spawn()
        await self._until_ready()

    async def keep(self) -> None:
        """Start Envoy again whenever it ends; runs until cancelled."""
        failure_count = 0
        while True:
            assert self._process is not None
            code = await self._process.wait()
            self.ready.clear()
            self.restart_count += 1
            self._say(f"Envoy ended with {code}; starting it again (restart {self.restart_count})")
            if failure_count:
                await asyncio.sleep(min(_PAUSE_MAX_S, 0.1 * 2**failure_count))
            try:
                await self._spawn()
                await self._until_ready()
                failure_count = 0
            except (DataPlaneError, OSError) as error:
                failure_count += 1
                self._say(f"Envoy did not come back: {error}")

    async def stop(self) -> None:
        """Let the clients go, then end Envoy."""
        if self.pid is None:
            return
        if self._settings.drain_ms:
            with contextlib.suppress(DataPlaneError):
                await self._admin.post("/healthcheck/fail")
                await self._admin.post("/drain_listeners?graceful&skip_exit")
            # Also where the admin said no: the proxies of a cluster still send, and need the time.
            await asyncio.sleep(self._settings.drain_ms / 1000)
        assert self._process is not None
        await stop(self._process, grace_ms=5_000)

    async def _spawn(self) -> None:
        self._before_start()
        if self._process is not None:
            # What is left of the last one must not share the port.
            signal_group(self._process.pid, signal.SIGKILL)
        self._process = await spawn(
            self._settings.command, stderr=asyncio.subprocess.PIPE, die_with_parent=True
        )
        reading = asyncio.create_task(self._read(self._process), name="what Envoy says")
        reading.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # longer than the reader takes; the rest comes with the next call
                continue
            if not line:
                return
            text = line.decode(errors="replace").strip()[:_LINE_MAX]
            found = _REFUSAL.search(text)
            if found is not None:
                self._refusals.append(found[1])
                self._refusal_count += 1
                self._told.set()
            self._say(f"envoy: {text}")

    async def _until_ready(self) -> None:
        assert self._process is not None
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                while not await self._admin.is_ready():
                    if self._process.returncode is not None:
                        code = self._process.returncode
                        raise DataPlaneError(f"Envoy ended with {code} before it was ready")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise DataPlaneError(f"Envoy was not ready within {_READY_WITHIN_S:.0f} s") from None
        self.ready.set()
