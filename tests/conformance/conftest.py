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
from tests.conformance import local_server as local
from tests.conformance.cluster import Cluster
from tests.conformance.features import LACKS
from tests.conformance.over_http import HttpCluster, policy_kinds
from tests.conformance.over_model import ModelCluster
from tests.control_plane import credentials
from tests.control_plane.bench import ControlPlane

_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*features): what a conformance case needs")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "connection" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--cluster") or ["model"]
    marks = {"kubernetes": [pytest.mark.kubernetes], "local": [pytest.mark.xdist_group("local")]}
    metafunc.parametrize(
        "connection",
        [pytest.param(name, marks=marks.get(name, [])) for name in chosen],
        indirect=True,
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local_server() -> AsyncIterator[Connection]:
    """The API server of a local cluster, started once for the session."""
    async with local.running() as connection:
        yield connection


@pytest.fixture
def connection(request: pytest.FixtureRequest) -> Connection | None:
    """Return how to reach the cluster that the case runs against; None is the model.

    Skip a case that needs what the cluster lacks before anything is started for it.
    """
    missing = sorted(_needs(request) & LACKS[request.param])
    if missing:
        pytest.skip(f"{request.param} lacks {', '.join(missing)}")
    if request.param == "model":
        return None
    if request.param == "local":
        to_local: Connection = request.getfixturevalue("local_server")
        return to_local
    plane: ControlPlane = request.getfixturevalue("kubernetes")
    return Connection(
        server=plane.url,
        ca=plane.ca_file.read_bytes(),
        token=plane.tokens[credentials.ADMIN],
    )


@pytest_asyncio.fixture
async def cluster(connection: Connection | None) -> AsyncIterator[Cluster]:
    """One cluster with an empty namespace for this case alone."""
    if connection is None:
        yield ModelCluster()
        return
    async with _over_http(connection) as made:
        yield made


def _needs(request: pytest.FixtureRequest) -> set[str]:
    return {name for mark in request.node.iter_markers("needs") for name in mark.args}


@contextlib.asynccontextmanager
async def _over_http(connection: Connection) -> AsyncIterator[HttpCluster]:
    warnings: list[str] = []
    namespace = f"case-{next(_numbers)}"
    async with Client(connection, on_warning=warnings.append) as client:
        await client.create(NAMESPACES, {"metadata": {"name": namespace}})
        cluster = HttpCluster(client, namespace, warnings, await policy_kinds(client))
        try:
            yield cluster
        finally:
            await cluster.close()
