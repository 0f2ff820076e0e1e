"""A control plane whose programs fail says so with their own words, and leaves nothing running."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.control_plane import bench
from tests.control_plane.build import Binaries
from tests.control_plane.programs import ControlPlaneError


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


async def test_a_program_that_ends_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    script(tmp_path / "etcd", "echo cannot write here >&2; exit 3")
    script(tmp_path / "kube-apiserver", "exec sleep 60")
    with pytest.raises(ControlPlaneError) as failed:
        async with bench.running(Binaries(tmp_path, "1.36.3")):
            pass
    assert "etcd exited with 3" in str(failed.value)
    assert "cannot write here" in str(failed.value)


async def test_what_was_started_before_a_failure_is_stopped(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script(tmp_path / "etcd", f"echo $$ >> {pids}; exec sleep 60")
    script(tmp_path / "kube-apiserver", f"echo $$ >> {pids}; exit 1")
    with pytest.raises(ControlPlaneError, match="kube-apiserver exited with 1"):
        async with bench.running(Binaries(tmp_path, "1.36.3")):
            pass
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) >= 2
    assert not any(psutil.pid_exists(pid) for pid in started)
