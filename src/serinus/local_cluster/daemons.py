"""Processes that outlive the command which started them, told apart by pid *and* start time.

A pid alone is not an identity: it may belong to a stranger by now, above all after a reboot.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from serinus.local_cluster.state_folder import open_private, write_private

Condition: TypeAlias = Callable[[], bool]

_POLL_S = 0.02
_IS_LINUX = sys.platform == "linux"
# Children of this very process, which must be reaped before they count as gone.
_children: dict[int, subprocess.Popen[bytes]] = {}


class Identity(msgspec.Struct, frozen=True):
    """One process, and no other that may get its pid later."""

    pid: int
    started: str
    """When it started, in the words of the system; compared, never computed with."""


def start(command: Sequence[str], output: Path, identity_file: Path) -> Identity:
    """Start a process in a session of its own and write down who it is."""
    descriptor = open_private(output)
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    _children[child.pid] = child
    identity = Identity(child.pid, _start_time(child.pid) or "")
    write_private(identity_file, msgspec.json.encode(identity))
    return identity


def running(identity_file: Path) -> Identity | None:
    """Return the process that a file names if it still runs."""
    try:
        identity = msgspec.json.decode(identity_file.read_bytes(), type=Identity)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return identity if is_running(identity) else None


def is_running(identity: Identity) -> bool:
    """Tell whether this very process still runs."""
    child = _children.get(identity.pid)
    if child is not None and child.poll() is not None:
        del _children[identity.pid]
        return False
    return _start_time(identity.pid) == identity.started != ""


def stop(identity: Identity, *, grace_ms: int) -> bool:
    """End a process: TERM, then KILL after the grace; return whether TERM was enough."""
    if not _signal(identity, signal.SIGTERM):
        return True
    if wait_until(lambda: not is_running(identity), grace_ms):
        return True
    _signal(identity, signal.SIGKILL)
    wait_until(lambda: not is_running(identity), 5_000)
    return False


def wait_until(condition: Condition, limit_ms: int) -> bool:
    """Return whether a condition came true within a time."""
    end = time.monotonic() + limit_ms / 1000
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(_POLL_S)
    return True


def _signal(identity: Identity, number: signal.Signals) -> bool:
    if not is_running(identity):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(identity.pid, number)
    return True


def _start_time(pid: int) -> str | None:
    """Return when a process started; None when there is none, or only its zombie."""
    if _IS_LINUX:
        try:
            # The name, in brackets, may hold anything: fields count from its end (proc_pid_stat(5):
            # state is field 3, start time in ticks since boot field 22).
            text = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if text[0] in {"Z", "X"} else f"{boot}/{text[19]}"
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return str(process.create_time())
    except psutil.NoSuchProcess:
        return None
