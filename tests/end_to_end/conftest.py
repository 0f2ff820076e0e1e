"""The stages on which whole releases are played, chosen by `--cluster`."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from serinus.local_cluster.lifecycle import LocalCluster
from serinus.local_cluster.state_folder import StateFolder
from tests.control_plane import kube_proxy, namespace, node
from tests.control_plane.bench import ControlPlane
from tests.end_to_end.stage import Stage

SLOW_CATALOGUE = """\
images:
- pattern: "nginx:*"
  command: ["$(SERINUS_PYTHON)", "-m", "serinus.local_cluster.images.web"]
  ports: [80]
  notifies: true
  env: {SERINUS_WEB_DELAY_MS: "%d", SERINUS_WEB_RUDE: "%d"}
"""


_NO_FINALIZER = '{"metadata":{"finalizers":null}}'
_NO_KUBE_PROXY = pytest.StashKey[str]()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say once and loudly that there was no kube-proxy."""
    if reason := config.stash.get(_NO_KUBE_PROXY, None):
        terminalreporter.line(
            f"NO KUBE-PROXY: {reason}; what it should have played was skipped", red=True, bold=True
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stage_kind" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--cluster") or ["local"]
    marks = {"kubernetes": [pytest.mark.kubernetes]}
    metafunc.parametrize(
        "stage_kind",
        [pytest.param(kind, marks=marks.get(kind, [])) for kind in chosen if kind != "model"],
    )


def catalogue(folder: Path, *, delay_ms: int, rude: bool = False) -> Path:
    """Write a catalogue whose web server takes its time for every answer."""
    path = folder / "images.yaml"
    path.write_text(SLOW_CATALOGUE % (delay_ms, rude))
    return path


@contextlib.asynccontextmanager
async def local_stage(folder: Path, images: Path) -> AsyncIterator[Stage]:
    """Run a local cluster of its own for the block."""
    async with running_local(folder, images) as (stage, _):
        yield stage


@contextlib.asynccontextmanager
async def running_local(folder: Path, images: Path) -> AsyncIterator[tuple[Stage, LocalCluster]]:
    """Run a local cluster of its own for the block, which may do with it as it likes."""
    state = StateFolder(folder / "state")
    cluster = LocalCluster(state, "end-to-end", images)
    await asyncio.to_thread(cluster.up)
    try:
        stage = Stage(state.kubeconfig, "127.0.0.1", state.path / "pods", folder / "cache")
        yield stage, cluster
    finally:
        await asyncio.to_thread(cluster.down)


@contextlib.asynccontextmanager
async def kubernetes_stage(
    folder: Path, images: Path, plane: ControlPlane, *, kube_proxied: bool
) -> AsyncIterator[Stage]:
    """Run a node on a real control plane, in the network namespace that we are in."""
    state = folder / "node"
    stage = Stage(plane.kubeconfig, namespace.NODE_ADDRESS, state / "pods", folder / "cache")
    async with node.running(plane, state, images=[images], kube_proxied=kube_proxied):
        try:
            yield stage
        finally:
            # The kind of releases is there once an operator's test installed it; then the record of
            # a release is one of them, and nobody is left who would take its finalizer off.
            await stage.try_("kubectl", "delete", "canaryreleases", "--all", "--wait=false")
            for name in await _canary_releases(stage):
                await stage.try_("kubectl", "patch", name, "--type=merge", f"-p={_NO_FINALIZER}")
            for kind in ("deployments", "services", "configmaps", "leases"):
                await stage.try_("kubectl", "delete", kind, "--all", "--wait=false")


async def _canary_releases(stage: Stage) -> list[str]:
    found = await stage.try_("kubectl", "get", "canaryreleases", "-o", "name")
    return found.stdout.split()


@pytest.fixture
def plane(stage_kind: str, request: pytest.FixtureRequest) -> ControlPlane | None:
    """Return the real control plane where it is asked for."""
    if stage_kind == "local":
        return None
    if not namespace.is_inside():
        pytest.skip("NO NETWORK NAMESPACE: run by `make end-to-end CLUSTER=kubernetes`")
    running: ControlPlane = request.getfixturevalue("kubernetes")
    wanted = request.config.getoption("--service-proxy") == "kube-proxy"
    if wanted and (reason := kube_proxy.missing(running.binaries)):
        request.config.stash[_NO_KUBE_PROXY] = reason
        pytest.skip(f"NO KUBE-PROXY: {reason}")
    return running


@pytest.fixture
def proxied(plane: ControlPlane | None, request: pytest.FixtureRequest) -> None:
    """Skip where Services are our own balancer's."""
    if plane is None or request.config.getoption("--service-proxy") != "kube-proxy":
        pytest.skip("the Services are our own balancer's: PROXY=kube-proxy")


@pytest.fixture
def make_stage(
    plane: ControlPlane | None, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[..., contextlib.AbstractAsyncContextManager[Stage]]:
    """Return what opens a stage with a web server of the given manners."""
    kube_proxied = request.config.getoption("--service-proxy") == "kube-proxy"

    def opened(
        *, delay_ms: int = 0, rude: bool = False
    ) -> contextlib.AbstractAsyncContextManager[Stage]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        images = catalogue(folder, delay_ms=delay_ms, rude=rude)
        if plane is None:
            return local_stage(folder, images)
        return kubernetes_stage(folder, images, plane, kube_proxied=kube_proxied)

    return opened


@pytest_asyncio.fixture
async def local_cluster_stage(tmp_path: Path) -> AsyncIterator[tuple[Stage, LocalCluster]]:
    """A local cluster whose processes the test may kill."""
    async with running_local(tmp_path, catalogue(tmp_path, delay_ms=0)) as running:
        yield running
