"""What the rows are measured on: a cluster, a client of it, and the operator as a process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import psutil

from serinus.kube.client import Client
from serinus.kube.config import Connection, load
from serinus.local_cluster.lifecycle import LocalCluster
from serinus.local_cluster.state_folder import StateFolder
from serinus.process import spawn, stop
from tests.control_plane import bench as control_plane
from tests.control_plane import build, namespace, node
from tests.end_to_end.stage import Stage

LEASE_NAMESPACE = "serinus-system"
MANAGER_CALLS_PER_S = 300
"""What the controller-manager may ask in a second in rows about many changes at once."""


class Operator:
    """One replica of the operator as a process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.log = log
        self._process, self._port = process, port

    def kill(self) -> None:
        """End it as the kernel does when it is out of memory."""
        os.kill(self._process.pid, signal.SIGKILL)

    async def ended(self) -> None:
        """Wait until the process is gone."""
        await self._process.wait()

    async def stop(self) -> None:
        """Let it end in order."""
        await stop(self._process, grace_ms=10_000)

    def cpu_s(self) -> float:
        """Return the CPU that it took since its start."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def memory_mb(self) -> float:
        """Return its resident memory."""
        return float(psutil.Process(self._process.pid).memory_info().rss) / 2**20

    async def metric(self, name: str) -> float:
        """Return one of its metrics that has no labels."""
        url = f"http://127.0.0.1:{self._port}/metrics"
        body = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode())
        found = next(line for line in body.splitlines() if line.startswith(f"{name} "))
        return float(found.split()[1])


class Bench:
    """A running cluster."""

    def __init__(self, kind: str, stage: Stage, folder: Path) -> None:
        self.kind, self.stage, self.folder = kind, stage, folder
        self.connection: Connection = load(stage.kubeconfig)
        self.client = Client(self.connection)
        self._count = 0

    @contextlib.asynccontextmanager
    async def operating(
        self, pod: str = "serinus-0", kubeconfig: Path | None = None
    ) -> AsyncIterator[Operator]:
        """Run a replica for the block; one of the same name is a container started again."""
        operator = await self.start(pod, kubeconfig)
        try:
            yield operator
        finally:
            await operator.stop()

    async def start(self, pod: str, kubeconfig: Path | None = None) -> Operator:
        """Start a replica and return at once."""
        self._count += 1
        log = self.folder / f"{pod}-{self._count}.log"
        port = control_plane.free_ports(1)[0]
        environment = {**self.stage.environment, "POD_NAME": pod}
        if kubeconfig is not None:
            environment["KUBECONFIG"] = str(kubeconfig)
        with log.open("wb") as out:
            process = await spawn(
                [
                    *(sys.executable, "-m", "serinus", "controller", "--host", "127.0.0.1"),
                    *("--port", str(port), "--lease-namespace", LEASE_NAMESPACE),
                ],
                env=environment,
                stdout=out,
                stderr=out,
                die_with_parent=True,
            )
        return Operator(process, port, log)


@contextlib.asynccontextmanager
async def running(kind: str, *, with_node: bool, is_slowed: bool = False) -> AsyncIterator[Bench]:
    """Run a cluster in which the kind is installed; without a node no pod starts by itself.

    Where it `is_slowed` the real controller-manager asks as little as in the peers' figures.
    """
    opened = _local if kind == "local" else partial(_kubernetes, is_slowed=is_slowed)
    with tempfile.TemporaryDirectory(prefix="serinus-bench-") as name:
        folder = Path(name)
        async with opened(folder, with_node=with_node) as stage:
            hold = "field" if kind == "local" else "policy"
            await stage.serinus("install", "--cli-only", "--hold", hold)
            await stage.try_("kubectl", "create", "namespace", LEASE_NAMESPACE)
            bench = Bench(kind, stage, folder)
            async with bench.client:
                yield bench


@contextlib.asynccontextmanager
async def _local(folder: Path, *, with_node: bool) -> AsyncIterator[Stage]:
    state = StateFolder(folder / "state")
    stage = Stage(state.kubeconfig, "127.0.0.1", state.path / "pods", folder / "cache")
    if with_node:
        cluster = LocalCluster(state, "bench")
        await asyncio.to_thread(cluster.up)
        try:
            yield stage
        finally:
            await asyncio.to_thread(cluster.down)
        return
    state.create()
    command = [sys.executable, "-m", "serinus.local_cluster.server"]
    with (folder / "server.log").open("wb") as log:
        server = await spawn(
            [*command, "--state-folder", str(state.path)],
            stdout=log,
            stderr=log,
            die_with_parent=True,
        )
    try:
        await stage.until(lambda: _answers(stage), "the server answers")
        yield stage
    finally:
        await stop(server, grace_ms=10_000)


async def _answers(stage: Stage) -> bool:
    return (await stage.try_("kubectl", "get", "namespace", "default")).code == 0


@contextlib.asynccontextmanager
async def _kubernetes(folder: Path, *, with_node: bool, is_slowed: bool) -> AsyncIterator[Stage]:
    binaries = build.find_or_build(os.environ)
    calls_per_s = MANAGER_CALLS_PER_S if is_slowed else None
    async with control_plane.running(binaries, manager_calls_per_s=calls_per_s) as plane:
        pods = folder / "node"
        stage = Stage(plane.kubeconfig, namespace.NODE_ADDRESS, pods / "pods", folder / "cache")
        if not with_node:
            yield stage
            return
        async with node.running(plane, pods, kube_proxied=True):
            yield stage
