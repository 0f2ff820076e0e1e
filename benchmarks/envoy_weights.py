"""How long a new weight takes: from the plan's file, over the agent, to the first request."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil

from benchmarks import measure
from benchmarks.balancer import free_port

CHANGE_COUNT = 200
REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\nx-user: anna\r\n\r\n"


def a_plan(port: int, stable: int, canary: int, *, weight: int, generation: int) -> dict[str, Any]:
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "TrafficPlan",
        "metadata": {"name": "shop", "generation": generation},
        "spec": {
            "ports": [{"name": "http", "listen": port}],
            "split": {"salt": "s", "weight": weight, "identity": [{"header": "x-user"}]},
            "stable": {"endpoints": {"http": [f"127.0.0.1:{stable}"]}},
            "canary": {"endpoints": {"http": [f"127.0.0.1:{canary}"]}},
        },
    }


async def answered_by(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Ask once on a kept connection; return the version that answers."""
    writer.write(REQUEST)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n") if ": " in line)
    await reader.readexactly(int(fields["content-length"]))
    return fields["x-serinus-version"]


async def a_pod(stack: AsyncExitStack, version: str) -> int:
    port = free_port()
    listen = {"SERINUS_VERSION": version, "SERINUS_LISTEN": f"127.0.0.1:{port}"}
    command = (sys.executable, "-m", "serinus.local_cluster.images.web")
    await stack.enter_async_context(measure.child(*command, env={**os.environ, **listen}))
    await measure.until_connectable("127.0.0.1", port)
    return port


async def main() -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="router-")))
        port, stable, canary = free_port(), await a_pod(stack, "old"), await a_pod(stack, "new")

        def write(weight: int, generation: int) -> None:
            made = a_plan(port, stable, canary, weight=weight, generation=generation)
            (folder / "plan.new").write_text(json.dumps(made))
            (folder / "plan.new").replace(folder / "plan.json")

        write(0, 1)
        agent = await stack.enter_async_context(
            measure.child(
                *(sys.executable, "-m", "serinus.router_agent", "--listen", "127.0.0.1"),
                *("--plan", str(folder / "plan.json"), "--folder", str(folder / "envoy")),
                *("--concurrency", "1", "--drain-ms", "0"),
            )
        )
        await measure.until_connectable("127.0.0.1", port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        taken_ms = []
        for index in range(CHANGE_COUNT):
            wanted = "new" if index % 2 == 0 else "old"
            began = time.perf_counter()
            write(100 if wanted == "new" else 0, index + 2)
            while await answered_by(reader, writer) != wanted:
                pass
            taken_ms.append(1_000 * (time.perf_counter() - began))
        writer.close()
        spread = statistics.quantiles(taken_ms, n=100)
        measure.row("new weight to first request, p50", f"{spread[49]:.1f} ms")
        measure.row("new weight to first request, p99", f"{spread[98]:.1f} ms", "< 100 ms")
        rss_mib = psutil.Process(agent.pid).memory_info().rss / 2**20
        measure.row("the agent's memory", f"{rss_mib:.0f} MiB")


if __name__ == "__main__":
    asyncio.run(main())
