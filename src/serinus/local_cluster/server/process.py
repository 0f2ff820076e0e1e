"""The server's life: read the log, listen, run the controllers, stop at a signal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from serinus.local_cluster import kubeconfig, ports
from serinus.local_cluster.server import bootstrap, certificates
from serinus.local_cluster.server.documents import discovery
from serinus.local_cluster.server.durable_log import DurableLog
from serinus.local_cluster.server.expiry import expire_events
from serinus.local_cluster.server.live_cluster import LiveCluster
from serinus.local_cluster.server.serving import https
from serinus.local_cluster.server.serving.dispatch import Dispatch
from serinus.local_cluster.server.serving.guard import Guard
from serinus.local_cluster.server.verbs.pod_logs import PodLogs
from serinus.local_cluster.server.verbs.reviews import USER
from serinus.local_cluster.state_folder import DEFAULT_NAME, ClusterRecord, StateFolder
from serinus.process import SystemClock


class Server:
    """One API server over one state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = StateFolder(folder)
        self._live: LiveCluster | None = None
        self._front: https.Front | None = None
        self._listening: asyncio.AbstractServer | None = None
        self._expiry: asyncio.Task[None] | None = None

    async def start(self, port: int | None = None, name: str = DEFAULT_NAME) -> int:
        """Listen with everything that was acknowledged before; return the port.

        Without `port` the one of the last start is taken, at the first start one that is free.
        `name` is that of a cluster which is made now.

        Raises:
            RefusedError: the folder, the log or the port cannot be used.
        """
        clock = SystemClock()
        self._folder.create()
        record = self._folder.read_record()
        certificates.ensure(self._folder, clock.now_ms())
        live = self._live = LiveCluster(
            bootstrap.new_cluster(), DurableLog(self._folder.log), clock
        )
        logs = PodLogs(live, self._folder.pods)
        live.load()
        guard = Guard(self._folder.read_or_make_token(), USER)
        front = self._front = https.Front(Dispatch(live, logs), guard, logs, clock)
        if port is not None:
            wanted: Sequence[int] = (port,)
        else:
            wanted = ports.candidates(self._folder.path) if record is None else (record.port,)
        self._listening, bound = await front.listen(wanted, https.tls_context(self._folder))
        bootstrap.populate(live, bound)
        live.start_controllers()
        self._expiry = asyncio.create_task(expire_events(live))
        named = record.name if record is not None else name
        self._folder.write_record(ClusterRecord(named, bound))
        kubeconfig.write(self._folder, named, bound)
        return bound

    async def stop(self) -> None:
        """Let callers go and close the log."""
        if self._expiry is not None:
            self._expiry.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._expiry
        if self._listening is not None:
            self._listening.close()
        if self._front is not None:
            await self._front.stop()
        if self._live is not None:
            self._live.stop()


async def serve(folder: Path, port: int | None = None, name: str = DEFAULT_NAME) -> None:
    """Run a server until TERM or INT."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = Server(folder)
    try:
        bound = await server.start(port, name)
        sys.stdout.write(f"{discovery.VERSION} serves https://127.0.0.1:{bound}\n")
        sys.stdout.flush()
        # What is there by now stays: a full collection need not look at it again and again.
        gc.collect()
        gc.freeze()
        await ended.wait()
    finally:
        await server.stop()
