"""The whole node: its parts put together, started and ended."""

from __future__ import annotations

import asyncio
import enum
import fcntl
import os
import signal
import zlib
from pathlib import Path

import msgspec
import structlog

from serinus import errors, process
from serinus.kube import config, kinds
from serinus.kube.client import Client
from serinus.kube.recorder import Recorder, Subject
from serinus.local_cluster import state_folder
from serinus.local_cluster.images.catalogue import Catalogue
from serinus.local_cluster.network.proxy import ServiceProxy
from serinus.local_cluster.network.services import Service
from serinus.local_cluster.node import records
from serinus.local_cluster.node.addresses import AddressPool
from serinus.local_cluster.node.agent import Agent
from serinus.local_cluster.node.context import NodeContext, Settings
from serinus.local_cluster.node.registration import Registration

_log = structlog.get_logger("serinus.local_cluster.node")

POD_CIDR = "127.1.0.0/16"


class Services(enum.StrEnum):
    """Who leads connections to a Service on to its pods."""

    OWN = "own"
    """The node itself, as a TCP balancer."""
    NONE = "none"
    """Someone else, such as kube-proxy: the node leaves Services alone."""


class NodeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the node is told when it is started."""

    kubeconfig: Path
    state: Path
    pod_cidr: str = POD_CIDR
    images: tuple[Path, ...] = ()
    services: Services = Services.OWN
    settings: Settings = Settings()


async def run(options: NodeOptions, stop: asyncio.Event | None = None) -> None:
    """Run the node until TERM or INT, or until `stop` is set.

    Raises:
        SerinusError: it cannot begin: a broken file, a second node, a server that refuses us.
    """
    stop = stop or _stop_at_signals()
    folder = state_folder.StateFolder(options.state)
    folder.create()
    folder.pods.mkdir(mode=0o700, exist_ok=True)
    lock = _lock(folder.path / "node.lock")
    try:
        reaped_count = await asyncio.to_thread(records.reap, folder.pods)
        if reaped_count:
            _log.info("ended what an earlier node had left", container_count=reaped_count)
        catalogue = Catalogue(options.images)
        addresses = AddressPool(options.pod_cidr, start=_start_of(folder.path))
        async with Client(config.load(options.kubeconfig)) as client:
            clock = process.SystemClock()
            settings = msgspec.structs.replace(
                options.settings, kubeconfig=str(options.kubeconfig.absolute())
            )
            context = NodeContext(
                client=client,
                clock=clock,
                catalogue=catalogue,
                addresses=addresses,
                recorder=Recorder(client, clock, host=settings.node_name),
                pods_folder=folder.pods,
                settings=settings,
            )
            await _run_parts(context, options.services, stop)
    finally:
        os.close(lock)


async def _run_parts(context: NodeContext, services: Services, stop: asyncio.Event) -> None:
    registration = Registration(context)
    agent = Agent(context, registration)
    parts = [
        asyncio.create_task(part.run(), name=type(part).__name__)
        for part in (context.recorder, registration, agent)
    ]
    if services is Services.OWN:
        proxy = _service_proxy(context)
        parts.append(asyncio.create_task(proxy.run(), name=type(proxy).__name__))
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({stopped, *parts}, return_when=asyncio.FIRST_COMPLETED)
        for task in done & set(parts):
            task.result()
    finally:
        await agent.shut_down()
        await registration.sign_off()
        for task in (stopped, *parts):
            task.cancel()
        await asyncio.wait({stopped, *parts})


def _service_proxy(context: NodeContext) -> ServiceProxy:
    def report(service: Service, reason: str, message: str) -> None:
        metadata = service.metadata
        subject = Subject(kinds.SERVICES, metadata.namespace, metadata.name, metadata.uid)
        context.recorder.record(
            subject, reason, message, event_type="Warning", component="serinus-proxy"
        )

    return ServiceProxy(
        context.client,
        node_addresses=(context.settings.node_address,),
        report=report,
        clock=context.clock,
    )


def _stop_at_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _start_of(folder: Path) -> int:
    """Return where pods' addresses begin: for each state folder another, and always the same."""
    return 256 * zlib.crc32(bytes(folder))


def _lock(path: Path) -> int:
    """Make sure that one node alone has the folder; return the descriptor that holds the lock."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        os.close(descriptor)
        raise errors.RefusedError(
            "NodeRuns", f"another node uses {path.parent}; end it first (`serinus local down`)"
        ) from e
    return descriptor
