from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import pytest

from serinus import errors
from serinus.local_cluster.server.durable_log import DurableLog, LogFull, Record


def _record(name: str, value: int) -> Record:
    return Record(name, msgspec.json.encode({"name": name, "value": value}))


def test_what_was_appended_is_there_after_closing_and_opening(tmp_path: Path) -> None:
    log = DurableLog(tmp_path / "log")
    log.append([_record("a", 1), _record("b", 1)], 2)
    log.append([_record("a", 2)], 3)
    log.append([Record("b", None)], 4)
    log.close()
    again = DurableLog(tmp_path / "log")
    assert again.load() == ([{"name": "a", "value": 2}], 4)
    again.close()


def test_a_new_log_is_empty_at_version_zero(tmp_path: Path) -> None:
    log = DurableLog(tmp_path / "log")
    assert log.load() == ([], 0)
    log.close()


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    log = DurableLog(tmp_path / "log")
    log.append([_record("a", 1)], 1)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    log.close()
    assert set(modes.values()) == {0o600}, modes


def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    log = DurableLog(tmp_path / "log")
    with pytest.raises(errors.RefusedError, match="another server"):
        DurableLog(tmp_path / "log")
    log.close()


def _append_until_killed(path: Path, told: Connection) -> None:
    log = DurableLog(path)
    version = 0
    while True:
        version += 1
        log.append([_record(f"object-{version % 50}", version)], version)
        told.send(version)


def test_every_acknowledged_change_survives_kill_9(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_append_until_killed, args=(tmp_path / "log", sender))
    child.start()
    sender.close()
    acknowledged = 0
    while acknowledged < 300:
        acknowledged = receiver.recv()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    try:
        while True:
            acknowledged = receiver.recv()
    except EOFError:
        pass
    log = DurableLog(tmp_path / "log")
    objects, version = log.load()
    log.close()
    assert version >= acknowledged
    assert max(item["value"] for item in objects) == version


def _copy_of_a_live_log(tmp_path: Path) -> Path:
    """Return a log as a power cut leaves it: the file and its WAL, not folded."""
    live = tmp_path / "live"
    log = DurableLog(live)
    for version in range(1, 6):
        log.append([_record("a", version)], version)
    copy = tmp_path / "copy"
    copy.write_bytes(live.read_bytes())
    (tmp_path / "copy-wal").write_bytes((tmp_path / "live-wal").read_bytes())
    log.close()
    return copy


@pytest.mark.parametrize("missing_count", [1, 100, 4_000])
def test_a_torn_last_record_is_dropped_and_the_rest_is_kept(
    tmp_path: Path, missing_count: int
) -> None:
    copy = _copy_of_a_live_log(tmp_path)
    wal = tmp_path / "copy-wal"
    os.truncate(wal, wal.stat().st_size - missing_count)
    log = DurableLog(copy)
    objects, version = log.load()
    assert version == 4
    assert objects == [{"name": "a", "value": 4}]
    log.append([_record("a", 9)], 9)
    log.close()


def test_a_last_record_of_garbage_is_dropped(tmp_path: Path) -> None:
    copy = _copy_of_a_live_log(tmp_path)
    wal = tmp_path / "copy-wal"
    with wal.open("r+b") as file:
        file.seek(-64, 2)
        file.write(os.urandom(64))
    log = DurableLog(copy)
    assert log.load()[1] == 4
    log.close()


def test_a_full_disk_refuses_the_change_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = DurableLog(path)
    log.append([_record("a", 1)], 1)
    # SQLite answers "database or disk is full" beyond this limit, as it does on a full disk.
    (count,) = log._database.execute("PRAGMA page_count").fetchone()
    log._database.execute(f"PRAGMA max_page_count = {count + 2}")
    with pytest.raises(LogFull) as refused:
        log.append([Record("big", b'"' + b"x" * 100_000 + b'"'), _record("a", 2)], 3)
    assert refused.value.code == 507
    assert log.load() == ([{"name": "a", "value": 1}], 1)
    log._database.execute("PRAGMA max_page_count = 100000")
    log.append([_record("a", 2)], 2)
    assert log.load() == ([{"name": "a", "value": 2}], 2)
    log.close()


def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"this is no database" * 500)
    with pytest.raises(errors.RefusedError, match="local reset"):
        DurableLog(path)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "log")
    database.execute("PRAGMA user_version = 99")
    database.commit()
    database.close()
    with pytest.raises(errors.RefusedError, match="format 99"):
        DurableLog(tmp_path / "log")
