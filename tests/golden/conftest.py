"""Golden files: `pytest tests/golden --update-golden` writes what is made now; look at the diff."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Compare = Callable[[str, Any], None]
CASES = Path(__file__).parent / "cases"


@pytest.fixture
def golden(pytestconfig: pytest.Config) -> Compare:
    """Compare a value with the golden file of a name."""

    def compare(name: str, made: Any) -> None:
        path = CASES / f"{name}.yaml"
        text = yaml.safe_dump(made, sort_keys=False, width=96)
        if pytestconfig.getoption("--update-golden"):
            path.write_text(text)
        assert yaml.safe_load(path.read_text()) == yaml.safe_load(text), (
            f"{path.name} differs; if that is right: pytest tests/golden --update-golden"
        )

    return compare
