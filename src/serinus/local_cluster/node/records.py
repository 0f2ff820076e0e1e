"""Which processes are ours: written down when they start, so that a new node can end an old one's.

On Linux a pod's first process dies with the node, but not what it has started itself; elsewhere
none does. A process is known again by its pid and start time, and what is left of its session by
the pod's uid in its environment.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from serinus import process

RECORD = "process.json"
_SAME_START_S = 1.0
_GONE_WITHIN_S = 5.0
_POLL_S = 0.02
POD_UID = "SERINUS_POD_UID"


class ProcessRecord(msgspec.Struct, frozen=True):
    """The first process of a container; `started_s` is as psutil tells it."""

    pid: int
    started_s: float
    pod_uid: str


def write(folder: Path, pid: int, pod_uid: str) -> None:
    """Remember a container's process; one that has ended already is not worth it."""
    try:
        started_s = psutil.Process(pid).create_time()
    except psutil.Error:
        return
    record = ProcessRecord(pid, started_s, pod_uid)
    (folder / RECORD).write_bytes(msgspec.json.encode(record))


def forget(folder: Path) -> None:
    """Forget a container's process."""
    (folder / RECORD).unlink(missing_ok=True)


def reap(pods: Path) -> int:
    """End all processes that an earlier node left behind; return how many groups there were."""
    found = 0
    for path in sorted(pods.glob(f"*/*/{RECORD}")):
        try:
            record = msgspec.json.decode(path.read_bytes(), type=ProcessRecord)
        except (OSError, msgspec.DecodeError):
            path.unlink(missing_ok=True)
            continue
        if _end(record):
            found += 1
        path.unlink(missing_ok=True)
    return found


def _end(record: ProcessRecord) -> bool:
    if not any(_alive(record)):
        return False
    process.signal_group(record.pid, signal.SIGKILL)
    deadline = time.monotonic() + _GONE_WITHIN_S
    while (left := list(_alive(record))) and time.monotonic() < deadline:
        for each in left:
            try:
                each.kill()
            except psutil.Error:
                continue
        time.sleep(_POLL_S)
    return True


def _alive(record: ProcessRecord) -> Iterator[psutil.Process]:
    """Yield what lives of a container: its first process, and what is left of its session."""
    try:
        leader = psutil.Process(record.pid)
        same = abs(leader.create_time() - record.started_s) < _SAME_START_S
        if leader.status() == psutil.STATUS_ZOMBIE:
            same = False
        elif not same:
            # The pid is another's: a number is not given again while a session of it is left.
            return
        if same:
            yield leader
    except psutil.Error:
        pass
    for each in psutil.process_iter():
        try:
            ours = (
                each.pid != record.pid
                and os.getsid(each.pid) == record.pid
                and each.status() != psutil.STATUS_ZOMBIE
                and each.environ().get(POD_UID) == record.pod_uid
            )
        except (psutil.Error, OSError):
            continue
        if ours:
            yield each
