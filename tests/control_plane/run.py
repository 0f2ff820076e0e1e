"""Run a real control plane in the foreground: `python -m tests.control_plane.run`.

Prints the path of a kubeconfig whose contexts are admin, editor, viewer and stranger, and stops
everything on Ctrl-C or TERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from serinus.errors import RefusedError
from tests.control_plane.bench import ControlPlaneError, running
from tests.control_plane.build import Binaries, find_or_build


async def run(binaries: Binaries) -> None:
    """Start, print the kubeconfig's path, and stay until told to end."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with running(binaries) as plane:
        print(plane.kubeconfig, flush=True)
        await ended.wait()


def main() -> int:
    """Run until Ctrl-C."""
    try:
        asyncio.run(run(find_or_build(os.environ)))
    except (RefusedError, ControlPlaneError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
