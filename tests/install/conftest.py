"""The clusters that `--cluster` names (the local server when none is named), and the commands."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from serinus.errors import RefusedError
from serinus.install.cluster import applying
from serinus.kube.client import Client
from serinus.kube.config import Connection
from tests.conformance import local_server as local
from tests.control_plane.bench import ControlPlane
from tests.install.commands import Serinus, admin_of
from tests.install.helm import HELM, find_or_build


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build helm before any test runs: it takes longer than a test may."""
    if session.config.option.collectonly:
        return
    if any("helm" in getattr(item, "fixturenames", ()) for item in session.items):
        try:
            session.config.stash[HELM] = find_or_build(os.environ)
        except RefusedError as error:
            session.config.stash[HELM] = error


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say once and loudly why the chart was not rendered."""
    found = config.stash.get(HELM, None)
    if isinstance(found, RefusedError) and found.reason == "NoGo":
        terminalreporter.section("NO HELM", red=True, bold=True)
        terminalreporter.line(f"{found}; the chart was not rendered", red=True)


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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def policy_version(kubernetes: ControlPlane) -> str:
    """The version at which real Kubernetes serves MutatingAdmissionPolicy."""
    async with Client(admin_of(kubernetes)) as client:
        found = await applying.policy_version(client)
    # Each version that is tried can do it, if only with the beta that the bench switches on.
    assert found is not None
    return found


@pytest_asyncio.fixture
async def client(connection: Connection) -> AsyncIterator[Client]:
    async with Client(connection) as made:
        yield made


@pytest.fixture
def serinus(connection: Connection, tmp_path: Path) -> Serinus:
    return Serinus(connection, tmp_path)
