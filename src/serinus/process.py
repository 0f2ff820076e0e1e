"""The outside of the process: the system clock, child processes that never outlive their purpose.

A child runs in a session of its own, so that one signal reaches all that it started; where the
system can, it dies with its parent. Nothing here knows what the children are for.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from serinus.clock import Instant

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class SystemClock:
    """The wall clock of this machine."""

    def now_ms(self) -> Instant:
        """Return the present instant."""
        return time.time_ns() // 1_000_000


@functools.cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _before_exec(parent_pid: int | None, limits: Mapping[int, int]) -> Callable[[], None] | None:
    """Return what a child runs before exec: limit itself, and get SIGKILL when `parent_pid` dies.

    The parent may die between fork and prctl: then the child's parent is another already, and it
    leaves at once (prctl(2), PR_SET_PDEATHSIG).
    """
    libc = _libc()
    if not limits and (libc is None or parent_pid is None):
        return None

    def prepare() -> None:
        for number, most in limits.items():
            resource.setrlimit(number, (most, most))
        if libc is not None and parent_pid is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent_pid:
                os._exit(1)

    return prepare


async def spawn(  # noqa: PLR0913 - the parameters of a process
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | IO[bytes] | None = asyncio.subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = asyncio.subprocess.DEVNULL,
    stderr: int | IO[bytes] | None = asyncio.subprocess.DEVNULL,
    die_with_parent: bool = False,
    own_session: bool = True,
    inherited: Sequence[int] = (),
    limits: Mapping[int, int] | None = None,
) -> asyncio.subprocess.Process:
    """Start a child in a session of its own, with no standard input.

    `inherited` are further descriptors that the child gets, under the same numbers; `limits` goes
    from a resource (`resource.RLIMIT_...`) to the most that the child may have of it.

    A child that is to ask a person something needs both our `stdin` (None) and our session: only
    the foreground process group of a session may read from its terminal.

    Raises:
        OSError: the program is missing or may not be run.
    """
    # The death signal follows the *thread* that forks; asyncio forks from the loop's own thread.
    prepare = _before_exec(os.getpid() if die_with_parent else None, limits or {})
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=None if env is None else dict(env),
        cwd=cwd,
        start_new_session=own_session,
        preexec_fn=prepare,
        pass_fds=tuple(inherited),
    )


def signal_group(pid: int, number: signal.Signals) -> bool:
    """Send a signal to the process group that `pid` leads; return whether it was there."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers so for a group of which only zombies are left.
        return False
    return True


async def stop(process: asyncio.subprocess.Process, *, grace_ms: int) -> int:
    """End a child and its group: TERM, then KILL after the grace; return its exit code."""
    if process.returncode is None:
        signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace_ms / 1000)
    # Children of the child may still run though their leader has gone.
    signal_group(process.pid, signal.SIGKILL)
    return await process.wait()
