"""Give each case the clusters that `--cluster` names, one after the other."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.kube.kinds import NAMESPACES
from tests.conformance.cluster import Cluster
from tests.conformance.over_http import HttpCluster
from tests.conformance.over_model import ModelCluster
from tests.control_plane import credentials
from tests.control_plane.bench import ControlPlane

_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*features): what a conformance case needs")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "plane" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--cluster") or ["model"]
    marks = {"kubernetes": [pytest.mark.kubernetes]}
    metafunc.parametrize(
        "plane",
        [pytest.param(name, marks=marks.get(name, [])) for name in chosen],
        indirect=True,
    )


@pytest.fixture
def plane(request: pytest.FixtureRequest) -> ControlPlane | None:
    """Return what serves the cluster that the case runs against; None is the model."""
    if request.param == "model":
        return None
    if request.param == "local":
        pytest.skip("there is no local server yet")
    running: ControlPlane = request.getfixturevalue("kubernetes")
    return running


@pytest_asyncio.fixture
async def cluster(plane: ControlPlane | None) -> AsyncIterator[Cluster]:
    """One cluster with an empty namespace for this case alone."""
    if plane is None:
        yield ModelCluster()
        return
    async with _over_http(plane) as made:
        yield made


@contextlib.asynccontextmanager
async def _over_http(plane: ControlPlane) -> AsyncIterator[HttpCluster]:
    connection = Connection(
        server=plane.url,
        ca=plane.ca_file.read_bytes(),
        token=plane.tokens[credentials.ADMIN],
    )
    warnings: list[str] = []
    namespace = f"case-{next(_numbers)}"
    async with Client(connection, on_warning=warnings.append) as client:
        await client.create(NAMESPACES, {"metadata": {"name": namespace}})
        cluster = HttpCluster(client, namespace, warnings)
        try:
            yield cluster
        finally:
            await cluster.close()
