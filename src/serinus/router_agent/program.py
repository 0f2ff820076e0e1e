"""Which Envoy to run: found beside our Python, or on the path, and of a version that was tried."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from pathlib import Path

from serinus.errors import RefusedError
from serinus.process import spawn

VERSION = (1, 40)
_WORDS = re.compile(r"version: [0-9a-f]+/(\d+)\.(\d+)\.(\d+)")
_HOW = (
    "pip install 'serinus[envoy]' brings it for Linux with glibc (x86-64, arm64) and for macOS 15"
    " on arm64; elsewhere install Envoy 1.40 and name it with --envoy"
)


def find(asked: Path | None = None) -> Path:
    """Return Envoy's program.

    Raises:
        RefusedError: there is none.
    """
    if asked is not None:
        if not asked.is_file():
            raise RefusedError("NoEnvoy", f"{asked} is not there; {_HOW}")
        return asked
    found = _of_the_wheel() or shutil.which("envoy")
    if found is None:
        raise RefusedError("NoEnvoy", f"there is no Envoy; {_HOW}")
    return Path(found)


def _of_the_wheel() -> Path | None:
    """Return the program of the wheel; its own module is not imported, others own that name too."""
    for folder in sys.path:
        program = Path(folder) / "envoy" / "_bin" / "envoy"
        if program.is_file():
            return program
    return None


async def check(program: Path) -> str:
    """Return the version.

    Raises:
        RefusedError: it does not run here, or it is another version than was tried.
    """
    try:
        process = await spawn([str(program), "--version"], stdout=asyncio.subprocess.PIPE)
    except OSError as error:
        raise RefusedError(
            "NoEnvoy", f"{program} does not run: {error.strerror}; {_HOW}"
        ) from error
    output, _ = await process.communicate()
    found = _WORDS.search(output.decode(errors="replace"))
    version = "unknown" if found is None else f"{found[1]}.{found[2]}.{found[3]}"
    if found is None or (int(found[1]), int(found[2])) != VERSION:
        raise RefusedError(
            "WrongEnvoy", f"{program} is version {version}, and {VERSION[0]}.{VERSION[1]} is needed"
        )
    return version
