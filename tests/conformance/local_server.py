"""The API server of a local cluster as a child process: no node, so pods are the cases' own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from serinus.errors import ClusterError
from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.local_cluster.state_folder import StateFolder
from serinus.process import spawn, stop

_READY_WITHIN_MS = 20_000


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Connection]:
    """Run the server in a temporary folder; yield how to reach it."""
    with tempfile.TemporaryDirectory(prefix="serinus-local-server-") as path:
        folder = StateFolder(Path(path) / "state")
        log = Path(path) / "server.log"
        command = [sys.executable, "-m", "serinus.local_cluster.server"]
        with log.open("wb") as output:
            process = await spawn(
                [*command, "--state-folder", str(folder.path), "--port", "0"],
                stdout=output,
                stderr=output,
                die_with_parent=True,
            )
        try:
            connection = await _ready(process, folder)
            assert connection is not None, f"the local server is not ready:\n{_end_of(log)}"
            yield connection
        finally:
            await stop(process, grace_ms=2_000)


async def _ready(process: asyncio.subprocess.Process, folder: StateFolder) -> Connection | None:
    deadline = time.monotonic() + _READY_WITHIN_MS / 1000
    while time.monotonic() < deadline and process.returncode is None:
        connection = _connection(folder)
        if connection is not None and await _answers(connection):
            return connection
        await asyncio.sleep(0.05)
    return None


def _end_of(log: Path) -> str:
    return log.read_text()[-4000:]


def _connection(folder: StateFolder) -> Connection | None:
    record = folder.read_record()
    if record is None or not folder.kubeconfig.exists():
        return None
    return Connection(
        server=f"https://127.0.0.1:{record.port}",
        ca=folder.ca_certificate.read_bytes(),
        token=folder.token.read_text().strip(),
    )


async def _answers(connection: Connection) -> bool:
    async with Client(connection) as client:
        try:
            await client.raw("GET", "/readyz")
        except ClusterError:
            return False
        return True
