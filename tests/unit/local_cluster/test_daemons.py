from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from serinus.local_cluster import daemons
from serinus.local_cluster.daemons import Identity


def _start(tmp_path: Path, code: str) -> Identity:
    return daemons.start(
        [sys.executable, "-c", code], tmp_path / "out.log", tmp_path / "identity.json"
    )


SLEEP = "import time; print('up', flush=True); time.sleep(60)"


def test_a_started_process_runs_until_it_is_stopped(tmp_path: Path) -> None:
    identity = _start(tmp_path, SLEEP)
    assert daemons.running(tmp_path / "identity.json") == identity
    assert daemons.stop(identity, grace_ms=5_000)
    assert daemons.running(tmp_path / "identity.json") is None


def test_a_process_that_does_not_heed_term_is_killed(tmp_path: Path) -> None:
    identity = _start(
        tmp_path, f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
    )
    output = tmp_path / "out.log"
    assert daemons.wait_until(lambda: "up" in output.read_text(), 10_000)
    assert not daemons.stop(identity, grace_ms=200)
    assert not daemons.is_running(identity)


def test_a_dead_child_does_not_count_as_running_though_nobody_waited_for_it(
    tmp_path: Path,
) -> None:
    identity = _start(tmp_path, SLEEP)
    os.kill(identity.pid, signal.SIGKILL)
    assert daemons.wait_until(lambda: not daemons.is_running(identity), 5_000)


def test_a_stranger_with_the_same_pid_is_neither_running_nor_stopped(tmp_path: Path) -> None:
    stranger = _start(tmp_path, SLEEP)
    stale = Identity(stranger.pid, "another boot/12345")
    (tmp_path / "stale.json").write_bytes(msgspec.json.encode(stale))
    assert daemons.running(tmp_path / "stale.json") is None
    daemons.stop(stale, grace_ms=100)
    assert daemons.is_running(stranger)
    daemons.stop(stranger, grace_ms=5_000)


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid": "x"}'])
def test_an_unreadable_identity_counts_as_not_running(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "identity.json").write_bytes(content)
    assert daemons.running(tmp_path / "identity.json") is None


def test_the_output_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    identity = _start(tmp_path, SLEEP)
    output = tmp_path / "out.log"
    assert daemons.wait_until(lambda: "up" in output.read_text(), 10_000)
    daemons.stop(identity, grace_ms=5_000)
    assert output.stat().st_mode & 0o777 == 0o600
