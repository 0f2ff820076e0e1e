"""Where there is no Envoy, its tests are skipped, and one loud line says so."""

from __future__ import annotations

import pytest

from serinus.errors import RefusedError
from serinus.router_agent import program

_MISSING = pytest.StashKey[str]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if "data_plane" in item.path.parts]
    try:
        program.find()
    except RefusedError as error:
        config.stash[_MISSING] = str(error)
        for item in here:
            item.add_marker(pytest.mark.skip(reason="no Envoy"))
    for item in here:
        # Each of them runs an Envoy under load: two at a time would share two cores.
        item.add_marker(pytest.mark.xdist_group("data_plane"))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    missing = config.stash.get(_MISSING, None)
    if missing is not None:
        terminalreporter.section("NO ENVOY", red=True, bold=True)
        terminalreporter.line(f"{missing}; the tests of tests/data_plane were skipped", red=True)
