"""Where there is no Envoy its tests are skipped; tests/conftest.py says so, once and loudly."""

from __future__ import annotations

import pytest

from serinus.errors import RefusedError
from serinus.router_agent import program


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if "data_plane" in item.path.parts]
    try:
        program.find()
    except RefusedError:
        for item in here:
            item.add_marker(pytest.mark.skip(reason="no Envoy"))
    for item in here:
        # Each of them runs an Envoy under load: two at a time would share two cores.
        item.add_marker(pytest.mark.xdist_group("data_plane"))
