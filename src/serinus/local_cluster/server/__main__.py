"""Run the API server of a local cluster: `python -m serinus.local_cluster.server`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

from serinus import errors
from serinus.local_cluster.state_folder import DEFAULT_NAME


def main() -> int:
    """Serve until TERM; return the exit code."""
    parser = argparse.ArgumentParser(prog="serinus.local_cluster.server")
    parser.add_argument("--state-folder", type=Path, required=True)
    parser.add_argument("--port", type=int, help="keep to this port from now on")
    parser.add_argument("--name", default=DEFAULT_NAME, help="the cluster's name, if it is new")
    arguments = parser.parse_args()
    new_event_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop
    from serinus.local_cluster.server.process import serve

    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve(arguments.state_folder, arguments.port, arguments.name))
    except errors.SerinusError as e:
        sys.stderr.write(f"{e}\n")
        return e.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
