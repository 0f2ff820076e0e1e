"""Start of the local cluster, memory of its two processes, its API server over TLS."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks import measure
from serinus.kube.client import Client
from serinus.kube.config import Connection, load
from serinus.kube.kinds import CONFIG_MAPS
from serinus.local_cluster.lifecycle import LocalCluster
from serinus.local_cluster.state_folder import StateFolder

WATCHER_COUNT, EVENT_COUNT = 50, 1_000


def start_s(folder: Path) -> float:
    cluster = LocalCluster(StateFolder(folder), "bench")
    began = time.perf_counter()
    cluster.up()
    took = time.perf_counter() - began
    cluster.down()
    cluster.reset()
    return took


def memory_mb(cluster: LocalCluster) -> dict[str, float]:
    found = {}
    for process in cluster.state().processes:
        if process.pid is not None:
            found[process.name] = psutil.Process(process.pid).memory_info().rss / 2**20
    return found


def server_cpu_s(cluster: LocalCluster) -> float:
    pid = next(p.pid for p in cluster.state().processes if p.name == "server")
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def writes(connection: Connection, folder: Path, token: str) -> float:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"generateName": "bench-"},
        "data": {"key": "value"},
    }
    return await asyncio.to_thread(
        measure.load_rate,
        f"{connection.server}/api/v1/namespaces/default/configmaps",
        *("--method", "POST", "--data", json.dumps(body)),
        *("--header", f"Authorization: Bearer {token}"),
        *("--header", "Content-Type: application/json"),
        *("--keep-alive", "--ca-file", str(folder / "ca.crt")),
    )


async def gets(connection: Connection, folder: Path, token: str) -> float:
    return await asyncio.to_thread(
        measure.load_rate,
        f"{connection.server}/api/v1/namespaces/default",
        *("--header", f"Authorization: Bearer {token}"),
        *("--keep-alive", "--ca-file", str(folder / "ca.crt")),
    )


async def watch_events(connection: Connection) -> float:
    """Return the events a second that all watchers together received."""
    async with Client(connection) as client:
        listed = await client.list(CONFIG_MAPS, "default")

        async def watch() -> None:
            count = 0
            async for event in client.watch(
                CONFIG_MAPS, "default", resource_version=listed.resource_version
            ):
                count += event.type != "BOOKMARK"
                if count == EVENT_COUNT:
                    return

        watchers = [asyncio.ensure_future(watch()) for _ in range(WATCHER_COUNT)]
        await asyncio.sleep(1)
        began = time.perf_counter()
        for number in range(EVENT_COUNT):
            body = {"metadata": {"name": f"watched-{time.time_ns()}-{number}"}}
            await client.create(CONFIG_MAPS, body, "default")
        await asyncio.gather(*watchers)
        return WATCHER_COUNT * EVENT_COUNT / (time.perf_counter() - began)


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        starts = [start_s(root / f"start-{n}") for n in range(measure.ROUND_COUNT)]
        measure.row("start of the local cluster", f"{measure.median(starts):.2f} s", "< 1.5 s")
        folder = root / "cluster"
        cluster = LocalCluster(StateFolder(folder), "bench")
        cluster.up()
        try:
            sizes = memory_mb(cluster)
            words = " + ".join(f"{n} {mb:.0f}" for n, mb in sizes.items())
            measure.row(
                f"memory without pods ({words})", f"{sum(sizes.values()):.0f} MB", "<= 140 MB"
            )
            connection = load(cluster.folder.kubeconfig)
            token = connection.token or ""
            ssl.create_default_context(cafile=str(folder / "ca.crt"))
            found = await measure.alternating(
                {
                    "writes": lambda: writes(connection, folder, token),
                    "gets": lambda: gets(connection, folder, token),
                },
                round_count=3,
            )
            measure.row(
                "validated writes over TLS",
                f"{measure.median(found['writes']):,.0f} /s",
                ">= 2,000 /s",
            )
            measure.row("GETs over TLS", f"{measure.median(found['gets']):,.0f} /s", ">= 10,000 /s")
            before = server_cpu_s(cluster)
            rate = await gets(connection, folder, token)
            spent = server_cpu_s(cluster) - before
            measure.row(
                "GETs over TLS for each second of the server's own CPU",
                f"{rate * measure.LOAD_S / spent:,.0f}",
                "the client shares the cores",
            )
            events = await watch_events(connection)
            measure.row(
                f"{WATCHER_COUNT} watchers x {EVENT_COUNT} events (one Python client)",
                f"{events:,.0f} events/s",
            )
        finally:
            cluster.down()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
