"""What the benchmarks share: children that end with them, medians of alternating rounds, rows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from serinus.process import spawn, stop

ROUND_COUNT = 5
LOAD_S = 3
"""What one run of `load_rate` lasts."""


def row(name: str, value: str, aim: str = "") -> None:
    """Print one figure and what it should be."""
    print(f"{name:<58} {value:>18}  {aim}", flush=True)


def median(values: list[float]) -> float:
    return statistics.median(values)


async def alternating(
    sides: Mapping[str, Callable[[], Awaitable[float]]], round_count: int = ROUND_COUNT
) -> dict[str, list[float]]:
    """Measure every side once a round, so that a change of the machine's speed hits all."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        await side()  # a warm-up that does not count
    for _ in range(round_count):
        for name, side in sides.items():
            found[name].append(await side())
    return found


def ratio(found: Mapping[str, list[float]], one: str, other: str) -> float:
    """Return the median of the ratios round by round."""
    return median([a / b for a, b in zip(found[one], found[other], strict=True)])


@contextlib.asynccontextmanager
async def child(*command: str, **options: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a child for the block."""
    process = await spawn(command, die_with_parent=True, **options)
    try:
        yield process
    finally:
        await stop(process, grace_ms=5_000)


@contextlib.asynccontextmanager
async def python(module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a module of ours in another process for the block."""
    async with child(sys.executable, "-m", module, *arguments) as process:
        yield process


async def until_connectable(host: str, port: int, limit_s: float = 20.0) -> None:
    """Wait until something listens."""
    end = time.monotonic() + limit_s
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.02)
            continue
        writer.close()
        await writer.wait_closed()
        return


def load_rate(url: str, *options: str) -> float:
    """Return the whole answers a second that `serinus load` got, from a process of its own."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "serinus", "load", url, "--duration", f"{LOAD_S}s"),
            *("--connections", "32", "-o", "json", *options),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise RuntimeError(done.stderr)
    report = json.loads(done.stdout)
    failed = {k: n for k, n in report["counts"].items() if n and k not in ("answered", "abandoned")}
    if failed:
        raise RuntimeError(f"{url}: {failed} {report.get('examples')}")
    rate: float = report["counts"]["answered"] / (report["elapsedMs"] / 1000)
    return rate


def here(name: str) -> str:
    return str(Path(__file__).with_name(name))
