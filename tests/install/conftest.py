"""The clusters that `--cluster` names (the local server when none is named), and the commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from serinus.kube.client import Client
from serinus.kube.config import Connection
from tests.conformance import local_server as local
from tests.control_plane import credentials
from tests.control_plane.bench import ControlPlane
from tests.install.commands import Serinus


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "connection" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--cluster") or ["local"]
    marks = {"kubernetes": pytest.mark.kubernetes, "local": pytest.mark.xdist_group("local")}
    params = [pytest.param(c, marks=marks[c]) for c in chosen if c in marks]
    metafunc.parametrize("connection", params, indirect=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local_server() -> AsyncIterator[Connection]:
    """The API server of a local cluster, started once for the session."""
    async with local.running() as connection:
        yield connection


@pytest.fixture
def connection(request: pytest.FixtureRequest) -> Connection:
    """Return how to reach the cluster, as one who may do everything."""
    if request.param == "local":
        to_local: Connection = request.getfixturevalue("local_server")
        return to_local
    return admin_of(request.getfixturevalue("kubernetes"))


def admin_of(plane: ControlPlane) -> Connection:
    """Return how the one who may do everything reaches a real control plane."""
    return Connection(
        server=plane.url,
        ca=plane.ca_file.read_bytes(),
        token=plane.tokens[credentials.ADMIN],
    )


@pytest_asyncio.fixture
async def client(connection: Connection) -> AsyncIterator[Client]:
    async with Client(connection) as made:
        yield made


@pytest.fixture
def serinus(connection: Connection, tmp_path: Path) -> Serinus:
    return Serinus(connection, tmp_path)
