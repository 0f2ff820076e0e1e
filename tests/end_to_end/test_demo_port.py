"""The demo counts the answers of its own pods, or does not begin."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.stage import BIN, NODE_PORT

pytestmark = pytest.mark.xdist_group("local-cluster")


def test_the_demo_refuses_a_port_that_another_program_has(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", NODE_PORT)):
        done = subprocess.run(
            [BIN / "serinus", "demo", "--fast", "--output", tmp_path / "report"],
            env={**os.environ, "NO_COLOR": "1", "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert f"error: port {NODE_PORT} has another program" in done.stderr
    assert list(tmp_path.iterdir()) == []
