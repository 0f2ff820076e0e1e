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

from serinus.errors import SerinusError, UsageError
from serinus.process import SystemClock
from serinus.router_agent.agent import Agent, AgentSettings
from serinus.router_agent.file_source import FileSource
from serinus.router_agent.source import PlanSource


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serinus.router_agent", description=__doc__)
    plan = parser.add_mutually_exclusive_group(required=True)
    plan.add_argument("--plan", type=Path, help="a file with a TrafficPlan")
    plan.add_argument(
        "--plan-object", metavar="NAMESPACE/NAME", help="a TrafficPlan in the cluster"
    )
    parser.add_argument("--report", type=Path, help="write what is in force into this file")
    parser.add_argument("--kubeconfig", type=Path, help="default: that of the pod, or of kubectl")
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
    async with contextlib.AsyncExitStack() as stack:
        finding = asyncio.create_task(_source(arguments, stack), name="the first plan")
        stopping = asyncio.create_task(stop.wait(), name="told to stop")
        await asyncio.wait([finding, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if finding.done():
            await Agent(settings, finding.result(), clock=SystemClock(), say=_say).run(stop)
        else:
            finding.cancel()
            await asyncio.wait([finding])


async def _source(arguments: argparse.Namespace, stack: contextlib.AsyncExitStack) -> PlanSource:
    if arguments.plan is not None:
        return FileSource(arguments.plan, arguments.report)
    # Only here: a router with a plan in a file needs no client.
    from serinus.kube import config
    from serinus.kube.client import Client
    from serinus.router_agent.kubernetes_source import KubernetesSource

    namespace, _, name = arguments.plan_object.rpartition("/")
    if not namespace or not name:
        raise UsageError(f"--plan-object {arguments.plan_object!r} is not NAMESPACE/NAME")
    client = await stack.enter_async_context(Client(config.load(arguments.kubeconfig)))
    return await stack.enter_async_context(
        KubernetesSource(client, namespace, name, router=arguments.name, listens={}, say=_say)
    )


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
