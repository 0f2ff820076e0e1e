"""A router as a pod runs it: an agent whose plan is an object of the cluster."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.process import SystemClock
from serinus.router_agent import program
from serinus.router_agent.agent import Agent, AgentSettings
from serinus.router_agent.kubernetes_source import KubernetesSource


class PodSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod's manifest and its environment say.

    Attributes:
        listens: where a sandbox lets the pod listen, `ADDRESS:PORT,...`; empty on a real cluster.
        declared: the ports of the manifest, `PORT,...`; those that are not in `listens` were
            moved to its last ones.
    """

    plan: str
    namespace: str
    router: str
    listen_host: str
    drain_ms: int
    concurrency: int
    envoy: Path | None = None
    listens: str = ""
    declared: str = ""


def own_ports(listens: str, declared: str) -> Mapping[int, int]:
    """Return declared port -> the port to listen on, where a sandbox chose another one."""
    wanted = [int(each) for each in declared.split(",") if each]
    given = [int(each.rpartition(":")[2]) for each in listens.split(",") if each]
    moved = [port for port in wanted if port not in given]
    others = [port for port in given if port not in wanted]
    if len(others) < len(moved):
        return {}
    return dict(zip(reversed(moved), reversed(others), strict=False))


async def serve(connection: Connection, settings: PodSettings, say: Callable[[str], None]) -> None:
    """Serve until TERM.

    Raises:
        RefusedError: there is no fitting Envoy, or a port is taken.
        ClusterError: the plan cannot be followed.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # Before anything is asked of the cluster: what is missing here is said at once.
    await program.check(program.find(settings.envoy))
    with tempfile.TemporaryDirectory(prefix="serinus-router-") as folder:
        agent_settings = AgentSettings(
            name=settings.router,
            folder=Path(folder),
            listen_host=settings.listen_host,
            envoy=settings.envoy,
            concurrency=settings.concurrency,
            drain_ms=settings.drain_ms,
        )
        async with Client(connection) as client:
            source = KubernetesSource(
                client,
                settings.namespace,
                settings.plan,
                router=settings.router,
                listens=own_ports(settings.listens, settings.declared),
                say=say,
            )
            following = asyncio.create_task(source.__aenter__(), name="the first plan")
            stopping = asyncio.create_task(stop.wait(), name="told to stop")
            await asyncio.wait([following, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not following.done():
                following.cancel()
                await asyncio.wait([following])
                return
            following.result()
            try:
                agent = Agent(agent_settings, source, clock=SystemClock(), say=say)
                await agent.run(stop)
            finally:
                await source.__aexit__(None, None, None)
