"""One cluster for all of a module, and a shop in a namespace of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.control_plane import kube_proxy, namespace, node
from tests.control_plane.bench import ControlPlane
from tests.end_to_end.conftest import catalogue, local_stage
from tests.end_to_end.living_with_others.shop import Shop
from tests.end_to_end.stage import Stage

_numbers = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "home_kind" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--cluster") or ["kubernetes"]
    # The rules come from real Kubernetes; that the local cluster has them too is a longer proof.
    marks = {"kubernetes": pytest.mark.kubernetes, "local": pytest.mark.slow}
    kinds = [pytest.param(kind, marks=marks[kind]) for kind in chosen if kind in marks]
    metafunc.parametrize("home_kind", kinds, scope="module")


@pytest.fixture(scope="module")
def home_plane(home_kind: str, request: pytest.FixtureRequest) -> ControlPlane | None:
    """Return the real control plane where it is asked for."""
    if home_kind == "local":
        return None
    if not namespace.is_inside():
        pytest.skip("NO NETWORK NAMESPACE: run by `make end-to-end CLUSTER=kubernetes`")
    plane: ControlPlane = request.getfixturevalue("kubernetes")
    wanted = request.config.getoption("--service-proxy") == "kube-proxy"
    if wanted and (reason := kube_proxy.missing(plane.binaries)):
        pytest.skip(f"NO KUBE-PROXY: {reason}")
    return plane


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def home(
    home_plane: ControlPlane | None,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Stage]:
    """A cluster whose pods run and whose NodePorts answer."""
    folder = tmp_path_factory.mktemp("home")
    if home_plane is None:
        async with local_stage(folder, catalogue(folder, delay_ms=0)) as stage:
            yield stage
        return
    state = folder / "node"
    kube_proxied = request.config.getoption("--service-proxy") == "kube-proxy"
    async with node.running(home_plane, state, kube_proxied=kube_proxied):
        yield Stage(home_plane.kubeconfig, namespace.NODE_ADDRESS, state / "pods", folder / "cache")


@pytest_asyncio.fixture
async def shop(home: Stage, tmp_path: Path) -> AsyncIterator[Shop]:
    """A namespace with nothing in it yet."""
    name = f"shop-{next(_numbers)}"
    await home.kubectl("create", "namespace", name)
    yield Shop(home, name, tmp_path)
    await home.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def real(home_plane: ControlPlane | None) -> ControlPlane:
    """Return the real control plane, for what the local cluster does not have."""
    if home_plane is None:
        pytest.skip("the local cluster has no such part")
    return home_plane


@pytest.fixture
def proxied(real: ControlPlane, request: pytest.FixtureRequest) -> ControlPlane:
    """Return the real control plane whose Services are kube-proxy's."""
    if request.config.getoption("--service-proxy") != "kube-proxy":
        pytest.skip("the Services are our own balancer's: PROXY=kube-proxy")
    return real
