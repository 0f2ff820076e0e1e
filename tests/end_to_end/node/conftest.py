"""The node under test stands before a real API server, or before our own: chosen by `--cluster`."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from serinus import process
from serinus.local_cluster import readiness
from serinus.local_cluster.state_folder import StateFolder
from tests.control_plane import namespace
from tests.end_to_end.node import bench

_numbers = itertools.count(1)
_READY_WITHIN_S = 20.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "api_kind" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--cluster") or ["local"]
    marks = {"kubernetes": [pytest.mark.kubernetes]}
    kinds = [pytest.param(kind, marks=marks.get(kind, [])) for kind in chosen if kind != "model"]
    metafunc.parametrize("api_kind", kinds)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StateFolder]:
    """Our own API server with its controllers, and no node."""
    folder = StateFolder(tmp_path_factory.mktemp("server") / "state")
    folder.create()
    with folder.output("server").open("wb") as log:
        command = ["-P", "-m", "serinus.local_cluster.server", "--state-folder", str(folder.path)]
        child = await process.spawn(
            [sys.executable, *command], stdout=log, stderr=log, die_with_parent=True
        )
    try:
        deadline = time.monotonic() + _READY_WITHIN_S
        while not await asyncio.to_thread(readiness.server_is_ready, folder):
            assert child.returncode is None, folder.output("server").read_text()
            assert time.monotonic() < deadline, folder.output("server").read_text()
            await asyncio.sleep(0.05)
        yield folder
    finally:
        await process.stop(child, grace_ms=5_000)


@pytest.fixture
def kubeconfig(api_kind: str, request: pytest.FixtureRequest) -> Path:
    """How to reach the API server that was chosen."""
    if api_kind == "local":
        found: Path = request.getfixturevalue("local_server").kubeconfig
    else:
        found = request.getfixturevalue("kubernetes").kubeconfig
    return found


@pytest_asyncio.fixture
async def idle_bench(kubeconfig: Path, tmp_path: Path) -> AsyncIterator[bench.Bench]:
    """A namespace of its own, with no node yet."""
    name = f"node-{next(_numbers)}"
    async with bench.bench(kubeconfig, name, tmp_path / "state") as made:
        yield made


@pytest_asyncio.fixture
async def shop(kubeconfig: Path, idle_bench: bench.Bench) -> AsyncIterator[bench.Bench]:
    """The same with a running node."""
    async with bench.node(kubeconfig, idle_bench.state):
        yield idle_bench


@pytest.fixture
def network(api_kind: str) -> bench.Network:
    """Addresses that both the API server and this machine take for endpoints."""
    if api_kind == "local":
        return bench.LOOPBACK
    if not namespace.is_inside():
        pytest.skip("NO NETWORK NAMESPACE: run by `python -m tests.control_plane.namespace`")
    # So that cluster IPs can be listened on; the namespace is our own.
    route = ["ip", "route", "replace", "local", str(namespace.SERVICE_NETWORK), "dev", "lo"]
    subprocess.run(route, check=True)
    return bench.Network(str(namespace.POD_NETWORK), namespace.NODE_ADDRESS)


@pytest_asyncio.fixture
async def served(
    kubeconfig: Path, idle_bench: bench.Bench, network: bench.Network
) -> AsyncIterator[bench.Bench]:
    """A namespace with a node whose Services can be reached."""
    async with bench.node(kubeconfig, idle_bench.state, network=network):
        yield idle_bench
