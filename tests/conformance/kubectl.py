"""kubectl as people use it, against the cluster and in the namespace of a case."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from pathlib import Path

import msgspec

from serinus.kube.config import Connection
from serinus.process import spawn
from tests.conformance.cluster import Object

_PROGRAM = Path(sys.executable).with_name("kubectl")


class Finished(msgspec.Struct, frozen=True):
    """What a command left behind."""

    code: int
    output: str


class Kubectl:
    """Run kubectl commands."""

    def __init__(self, connection: Connection, namespace: str, folder: Path) -> None:
        self._namespace = namespace
        self._folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(_kubeconfig(connection)))

    async def __call__(self, *arguments: str, given: Object | None = None, editor: str = "") -> str:
        """Run a command that must work; return what it says. `given` is the file of `-f FILE`."""
        done = await self.run(*arguments, given=given, editor=editor)
        assert done.code == 0, f"kubectl {' '.join(arguments)}: {done.output}"
        return done.output

    async def run(self, *arguments: str, given: Object | None = None, editor: str = "") -> Finished:
        """Run a command to its end; `FILE` among the arguments stands for `given` in a file."""
        words = [self._written(given) if each == "FILE" else each for each in arguments]
        process = await spawn(
            [
                str(_PROGRAM),
                f"--cache-dir={self._folder}",
                f"--namespace={self._namespace}",
                *words,
            ],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "KUBE_EDITOR": editor},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            die_with_parent=True,
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return Finished(process.returncode, output.decode())

    def _written(self, body: Object | None) -> str:
        path = self._folder / "given.json"
        path.write_text(json.dumps(body))
        return str(path)


def _kubeconfig(connection: Connection) -> Object:
    ca = base64.b64encode(connection.ca or b"").decode()
    server = {"server": connection.server, "certificate-authority-data": ca}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "case",
        "clusters": [{"name": "case", "cluster": server}],
        "users": [{"name": "case", "user": {"token": connection.token}}],
        "contexts": [{"name": "case", "context": {"cluster": "case", "user": "case"}}],
    }
