"""Services as real processes on loopback."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parents[2]
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
START_LIMIT_S = 30.0

Server: TypeAlias = contextlib.AbstractContextManager[str]


@contextlib.contextmanager
def serving(log: Path, *command: str, **environ: str) -> Iterator[str]:
    """Run a server on a port of its own choice; give its address once it says it."""
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield _address(process, log)
        finally:
            process.terminate()
            process.wait(10)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        found = _ADDRESS.search(log.read_text())
        if found:
            return found[0]
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"no server at {process.args!r}:\n{log.read_text()}")


def uvicorn(log: Path, application: str, *options: str, **environ: str) -> Server:
    """Serve an ASGI application."""
    return serving(log, "uvicorn", application, "--port", "0", *options, **environ)


def flask(log: Path, application: str, **environ: str) -> Server:
    """Serve a Flask application."""
    return serving(log, "flask", "--app", application, "run", "--port", "0", **environ)
