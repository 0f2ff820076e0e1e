"""Which processes a new node ends, and which it leaves alone."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from serinus import process
from serinus.local_cluster.node import records


async def started(pod_uid: str, script: str) -> asyncio.subprocess.Process:
    env = {"PATH": os.environ["PATH"], records.POD_UID: pod_uid}
    child = await process.spawn(
        ["/bin/sh", "-c", script], env=env, stdout=asyncio.subprocess.PIPE, die_with_parent=True
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"up\n"
    return child


def is_alive(found: psutil.Process) -> bool:
    try:
        return found.is_running() and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def folder_for(pods: Path, uid: str) -> Path:
    folder = pods / uid / "main"
    folder.mkdir(parents=True)
    return folder


async def test_a_recorded_process_and_its_children_are_ended(tmp_path: Path) -> None:
    folder = folder_for(tmp_path, "u1")
    child = await started("u1", "(trap '' TERM; sleep 63) & echo up; exec sleep 63")
    records.write(folder, child.pid, "u1")
    family = [psutil.Process(child.pid), *psutil.Process(child.pid).children()]
    assert len(family) == 2
    assert await asyncio.to_thread(records.reap, tmp_path) == 1
    assert await asyncio.wait_for(child.wait(), 10) == -9
    assert not any(is_alive(p) for p in family)
    assert not (folder / records.RECORD).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads other processes' environment")
async def test_what_is_left_of_a_session_is_ended_when_its_leader_has_gone(tmp_path: Path) -> None:
    folder = folder_for(tmp_path, "u1")
    child = await started("u1", "(trap '' HUP; sleep 64 >/dev/null) & echo up; wait")
    records.write(folder, child.pid, "u1")
    (orphan,) = psutil.Process(child.pid).children()
    child.kill()
    await child.wait()
    assert orphan.is_running()
    assert await asyncio.to_thread(records.reap, tmp_path) == 1
    assert not is_alive(orphan)


async def test_a_pid_that_belongs_to_somebody_else_by_now_is_left_alone(tmp_path: Path) -> None:
    folder = folder_for(tmp_path, "u1")
    stranger = await started("u2", "echo up; exec sleep 65")
    try:
        records.write(folder, stranger.pid, "u1")
        path = folder / records.RECORD
        record = msgspec.json.decode(path.read_bytes(), type=records.ProcessRecord)
        earlier = msgspec.structs.replace(record, started_s=record.started_s - 100)
        path.write_bytes(msgspec.json.encode(earlier))
        assert await asyncio.to_thread(records.reap, tmp_path) == 0
        assert stranger.returncode is None
        assert psutil.Process(stranger.pid).is_running()
        assert not path.exists()
    finally:
        await process.stop(stranger, grace_ms=0)


def test_a_torn_record_is_dropped(tmp_path: Path) -> None:
    folder = folder_for(tmp_path, "u1")
    (folder / records.RECORD).write_bytes(b'{"pid": 1')
    assert records.reap(tmp_path) == 0
    assert not (folder / records.RECORD).exists()
