"""Run a router: `python -m serinus.router_agent --plan FILE`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

from serinus.errors import SerinusError
from serinus.process import SystemClock
from serinus.router_agent.agent import Agent, AgentSettings
from serinus.router_agent.file_source import FileSource


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serinus.router_agent", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="a file with a TrafficPlan")
    parser.add_argument("--report", type=Path, help="write what is in force into this file")
    parser.add_argument("--folder", type=Path, help="Envoy's files (default: a temporary one)")
    parser.add_argument("--listen", default="0.0.0.0", help="the address to serve")  # noqa: S104
    parser.add_argument("--envoy", type=Path, help="Envoy's program")
    parser.add_argument("--concurrency", type=int, default=os.cpu_count() or 1, help="threads")
    parser.add_argument("--drain-ms", type=int, default=5_000, help="time to let clients go")
    parser.add_argument("--name", default=socket.gethostname(), help="this router's own name")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


async def _run(arguments: argparse.Namespace, folder: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings = AgentSettings(
        name=arguments.name,
        folder=folder,
        listen_host=arguments.listen,
        envoy=arguments.envoy,
        concurrency=arguments.concurrency,
        drain_ms=arguments.drain_ms,
    )
    source = FileSource(arguments.plan, arguments.report)
    await Agent(settings, source, clock=SystemClock(), say=_say).run(stop)


def main() -> int:
    """Serve until TERM; return the exit code of what went wrong."""
    arguments = _arguments()
    with contextlib.ExitStack() as stack:
        folder = arguments.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="serinus-router-"))
        )
        try:
            asyncio.run(_run(arguments, folder.absolute()))
        except SerinusError as error:
            _say(str(error))
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
