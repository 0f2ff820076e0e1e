"""The command line of serinus as people use it, against the cluster of a test."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from serinus.kube.config import Connection
from serinus.process import spawn
from tests.conformance.kubectl import Kubectl
from tests.control_plane import credentials
from tests.control_plane.bench import ControlPlane

_PROGRAM = Path(sys.executable).with_name("serinus")


def admin_of(plane: ControlPlane) -> Connection:
    """Return how the one who may do everything reaches a real control plane."""
    return Connection(
        server=plane.url,
        ca=plane.ca_file.read_bytes(),
        token=plane.tokens[credentials.ADMIN],
    )


class Finished(msgspec.Struct, frozen=True):
    """What a command left behind."""

    code: int
    output: str
    errors: str


class Serinus:
    """Run serinus with a kubeconfig of the connection."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._kubeconfig = Kubectl(connection, "default", folder).kubeconfig

    async def __call__(self, *arguments: str) -> str:
        """Run a command that must work; return what it says on stdout."""
        done = await self.run(*arguments)
        assert done.code == 0, f"serinus {' '.join(arguments)}: {done.output}{done.errors}"
        return done.output

    async def run(self, *arguments: str) -> Finished:
        """Run a command to its end."""
        process = await spawn(
            [str(_PROGRAM), *arguments],
            env={**os.environ, "KUBECONFIG": str(self._kubeconfig), "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            die_with_parent=True,
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return Finished(process.returncode, output.decode(), errors.decode())
