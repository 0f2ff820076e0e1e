"""Where whole releases are played: a running cluster with real pods, the CLI, and counted load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from serinus.load.outcome import ConnectionKind
from serinus.load.plan import LoadPlan
from serinus.load.report import Report
from serinus.load.run import run
from serinus.process import SystemClock
from tests.control_plane import outside

BIN = Path(sys.executable).parent
EXAMPLES = Path(__file__).parents[2] / "examples" / "nginx-canary"
STABLE, CANARY = EXAMPLES / "stable.yaml", EXAMPLES / "canary.yaml"
NODE_PORT = 32600
BOTH = (ConnectionKind.KEEP_ALIVE, ConnectionKind.NEW)
WAIT_S = 60.0


class Ended(msgspec.Struct, frozen=True):
    """A command that came to its end, and when it began."""

    code: int
    stdout: str
    stderr: str
    began_ms: int


class Stage:
    """One cluster: commands on it, and what its pods wrote."""

    def __init__(self, kubeconfig: Path, address: str, pods_folder: Path, cache: Path) -> None:
        self.kubeconfig = kubeconfig
        self.address = address
        self.url = f"http://{address}:{NODE_PORT}/"
        self.pods_folder = pods_folder
        self._cache = cache

    @property
    def environment(self) -> dict[str, str]:
        # As installed: with the bytecode of every module, which an environment may forbid to write.
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return {**inherited, "KUBECONFIG": str(self.kubeconfig), "NO_COLOR": "1"}

    def command(self, program: str, *arguments: str | Path) -> list[str]:
        extra = [f"--cache-dir={self._cache}"] if program == "kubectl" else []
        return [str(BIN / program), *extra, *(str(a) for a in arguments)]

    async def try_(self, program: str, *arguments: str | Path) -> Ended:
        began_ms = SystemClock().now_ms()
        process = await asyncio.create_subprocess_exec(
            *self.command(program, *arguments),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(WAIT_S):
                out, err = await process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        return Ended(process.returncode or 0, out.decode(), err.decode(), began_ms)

    async def kubectl(self, *arguments: str | Path) -> str:
        done = await self.try_("kubectl", *arguments)
        assert done.code == 0, f"kubectl {arguments}: {done.stderr}{done.stdout}"
        return done.stdout

    async def serinus(self, *arguments: str | Path) -> Ended:
        done = await self.try_("serinus", *arguments)
        assert done.code == 0, f"serinus {arguments}: {done.stderr}{done.stdout}"
        return done

    async def object(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.kubectl("get", *arguments, "-o", "json"))
        return found

    async def pods(self) -> list[dict[str, Any]]:
        """Return the pods that have not been told to stop, by name."""
        items = (await self.object("pods", "-l", "app=nginx"))["items"]
        return [p for p in items if "deletionTimestamp" not in p["metadata"]]

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for an awaitable condition with a deadline."""
        end = time.monotonic() + WAIT_S
        while not await condition():
            assert time.monotonic() < end, f"not within {WAIT_S} s: {what}"
            await asyncio.sleep(0.05)

    async def serving(self, name: str, count: int) -> None:
        """Wait until a Deployment has `count` available pods and the Service answers."""

        async def available() -> bool:
            status = (await self.object("deployment", name)).get("status") or {}
            return bool(status.get("availableReplicas") == count)

        await self.until(available, f"{count} available pods of {name}")

    async def answering(self) -> None:
        """Wait until the NodePort answers a first request."""

        async def answers() -> bool:
            report = await measure(self.url, request_count=1)
            return report.failed_count == 0

        await self.until(answers, f"{self.url} answers")

    def in_flight_at_term(self) -> list[int]:
        """Return for each pod that was told to stop how many requests it had in hand."""
        found = []
        for log in sorted(self.pods_folder.glob("*/*/*.log")):
            for line in log.read_text(errors="replace").splitlines():
                match = re.search(r"TERM.*?(\d+) requests? in flight", line)
                if match:
                    found.append(int(match[1]))
        return found


async def measure(url: str, *, request_count: int) -> Report:
    """Send a few requests on new connections and return what came back."""
    plan = LoadPlan(
        url=url,
        kinds=(ConnectionKind.NEW,),
        connections=min(50, request_count),
        requests_max=request_count,
        duration_ms=None,
    )
    return await _sent(plan, asyncio.Event())


async def _sent(plan: LoadPlan, stop: asyncio.Event) -> Report:
    """Make load from where clients are: from a network of their own where there is one."""
    where = outside.current()
    if where is None:
        return await run(plan, clock=SystemClock(), stop=stop)
    return await outside.run(lambda told: run(plan, clock=SystemClock(), stop=told), where, stop)


@contextlib.asynccontextmanager
async def under_load(
    url: str,
    *,
    rate: int | None,
    connections: int = 100,
    kinds: tuple[ConnectionKind, ...] = BOTH,
) -> AsyncIterator[asyncio.Future[Report]]:
    """Make load for as long as the block runs; the future has the report behind the block.

    Without a rate each client asks again as soon as it is answered.
    """
    plan = LoadPlan(
        url=url,
        kinds=kinds,
        rate_per_s=rate,
        connections=connections,
        duration_ms=300_000,
        record=True,
    )
    stop = asyncio.Event()
    running = asyncio.ensure_future(_sent(plan, stop))
    result: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
    try:
        yield result
    finally:
        stop.set()
        result.set_result(await running)
