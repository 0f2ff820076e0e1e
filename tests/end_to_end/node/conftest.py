from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.control_plane.bench import ControlPlane
from tests.end_to_end.node import bench

_numbers = itertools.count(1)


@pytest_asyncio.fixture
async def idle_bench(kubernetes: ControlPlane, tmp_path: Path) -> AsyncIterator[bench.Bench]:
    """A namespace of its own on the real control plane, with no node yet."""
    namespace = f"node-{next(_numbers)}"
    async with bench.bench(kubernetes.kubeconfig, namespace, tmp_path / "state") as made:
        yield made


@pytest_asyncio.fixture
async def shop(kubernetes: ControlPlane, idle_bench: bench.Bench) -> AsyncIterator[bench.Bench]:
    """The same with a running node."""
    async with bench.node(kubernetes.kubeconfig, idle_bench.state):
        yield idle_bench
