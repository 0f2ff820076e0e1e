"""Real etcd, kube-apiserver and kube-controller-manager as child processes on loopback.

No kubelet, scheduler or kube-proxy: pods get ready through whatever the test brings, a node agent
or `tests.conformance.pods`. Each control plane has a folder of its own with data, keys and logs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from serinus.process import spawn, stop
from tests.control_plane import credentials
from tests.control_plane.build import Binaries

_CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "disruption-controller",
    # Fills the roles `edit` and `view`, which two of the users have.
    "clusterrole-aggregation-controller",
)
_READY_WITHIN_MS = 60_000
_START_ATTEMPTS = 3


class ControlPlaneError(Exception):
    """A program of the control plane ended or did not get ready; the message ends with its log."""


class ControlPlane:
    """A running control plane; make one with `running()`."""

    def __init__(self, binaries: Binaries, folder: Path) -> None:
        self.binaries = binaries
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.ca_file = folder / "certs" / "apiserver.crt"
        self.tokens: Mapping[str, str] = {}
        self.url = ""
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context that trusts this API server alone."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def pids(self) -> list[int]:
        """Return the process ids of the three programs."""
        return [process.pid for process in self._processes.values()]

    def log(self, name: str) -> str:
        """Return what one of the programs wrote so far."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def start(self) -> None:
        """Start the three programs and return when all are ready.

        Raises:
            ControlPlaneError: one of them ended or was not ready in time.
        """
        self.tokens = credentials.write_tokens(self.folder / "tokens.csv")
        private, public = credentials.write_service_account_key(self.folder)
        etcd, etcd_peers, api, manager = _free_ports(4)
        self.url = f"https://127.0.0.1:{api}"
        await self._start_etcd(etcd, etcd_peers)
        await self._start_api_server(etcd, api, (private, public))
        # The certificate appears with the API server, and the kubeconfig names its file.
        credentials.write_kubeconfig(self.kubeconfig, self.url, self.ca_file, self.tokens)
        await self._until_ready("kube-apiserver", f"{self.url}/readyz")
        await self._start_controller_manager(manager)
        await self._grant_roles()
        await self._until_ready("kube-controller-manager", f"https://127.0.0.1:{manager}/healthz")
        await self._until("kube-controller-manager", self._roles_are_filled)

    async def stop(self) -> None:
        """End all programs, the last one started first."""
        for name in reversed(self._processes):
            # etcd waits for its clients; nothing of its data is wanted any more.
            await stop(self._processes[name], grace_ms=500)
        self._processes.clear()

    async def _start_etcd(self, client_port: int, peer_port: int) -> None:
        client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
        await self._spawn(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        )

    async def _start_api_server(self, etcd: int, port: int, key_files: tuple[Path, Path]) -> None:
        private, public = key_files
        await self._spawn(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--cert-dir={self.ca_file.parent}",
            "--bind-address=127.0.0.1",
            # A loopback address may not become an endpoint of the Service `kubernetes`, and without
            # an advertised address the server insists on a default route.
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={port}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={private}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
        )

    async def _start_controller_manager(self, port: int) -> None:
        await self._spawn(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            "--leader-elect=false",
            "--use-service-account-credentials=false",
            f"--controllers={','.join(_CONTROLLERS)}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            # The default of 20 calls a second would make the tests wait for the client's own limit.
            "--kube-api-qps=1000",
            "--kube-api-burst=2000",
        )

    async def _spawn(self, name: str, *arguments: str) -> None:
        command = [str(self.binaries.folder / name), *arguments]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = await spawn(
                command, cwd=self.folder, stdout=log, stderr=log, die_with_parent=True
            )

    async def _until_ready(self, name: str, url: str) -> None:
        async def answers_ok() -> bool:
            return await self._get(url) is not None

        await self._until(name, answers_ok)

    async def _until(self, name: str, condition: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + _READY_WITHIN_MS / 1000
        while not await condition():
            self._refuse_the_dead()
            if time.monotonic() > deadline:
                raise ControlPlaneError(self._report(name, "was not ready in time"))
            await asyncio.sleep(0.05)

    async def _get(self, url: str) -> bytes | None:
        headers = {"Authorization": f"Bearer {self.tokens[credentials.ADMIN]}"}
        # Each program signs its own certificate, and the API server's may not be written yet.
        try:
            async with (
                aiohttp.ClientSession(headers=headers) as session,
                session.get(url, ssl=False) as response,
            ):
                return await response.read() if response.status == 200 else None
        except aiohttp.ClientError:
            return None

    async def _roles_are_filled(self) -> bool:
        path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        found = [
            await self._get(f"{self.url}{path}/{r}") for r in credentials.CLUSTER_ROLES.values()
        ]
        return all(role is not None and json.loads(role)["rules"] for role in found)

    def _refuse_the_dead(self) -> None:
        for name, process in self._processes.items():
            if process.returncode is not None:
                raise ControlPlaneError(self._report(name, f"exited with {process.returncode}"))

    def _report(self, name: str, what: str) -> str:
        return f"{name} {what}; the end of {self.folder / name}.log:\n{self.log(name)[-4000:]}"

    async def _grant_roles(self) -> None:
        for user, role in credentials.CLUSTER_ROLES.items():
            await self._post(
                "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
                {
                    "metadata": {"name": f"tests-{user}"},
                    "roleRef": {
                        "apiGroup": "rbac.authorization.k8s.io",
                        "kind": "ClusterRole",
                        "name": role,
                    },
                    "subjects": [
                        {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
                    ],
                },
            )

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self.tokens[credentials.ADMIN]}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(self.url + path, json=body, ssl=self.ssl_context()) as response,
        ):
            if response.status != 201:
                raise ControlPlaneError(f"POST {path}: {response.status} {await response.text()}")


@contextlib.asynccontextmanager
async def running(binaries: Binaries) -> AsyncIterator[ControlPlane]:
    """Run a control plane in a temporary folder for as long as the block lasts."""
    for attempt in range(1, _START_ATTEMPTS + 1):
        with tempfile.TemporaryDirectory(prefix="serinus-control-plane-") as folder:
            plane = ControlPlane(binaries, Path(folder))
            try:
                try:
                    await plane.start()
                except ControlPlaneError:
                    # Someone else may have taken a port between its choice and its use.
                    if attempt == _START_ATTEMPTS:
                        raise
                    continue
                yield plane
                return
            finally:
                await plane.stop()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
