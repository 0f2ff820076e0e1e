"""Real etcd, kube-apiserver and kube-controller-manager as child processes on loopback.

No kubelet and no scheduler: pods get ready through whatever the test brings, a node agent or
`tests.conformance.pods`. kube-proxy is started by its own module, where Services are asked. Each
control plane has a folder of its own with data, keys and logs.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tests.control_plane import audit, credentials, namespace
from tests.control_plane.audit import Written
from tests.control_plane.build import Binaries
from tests.control_plane.programs import ControlPlaneError, Programs

_CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "disruption-controller",
    "horizontal-pod-autoscaler-controller",
    "resourcequota-controller",
    # Fills the roles `edit` and `view`, which two of the users have.
    "clusterrole-aggregation-controller",
)
_START_ATTEMPTS = 3
_MANAGER_CALLS_PER_S = 1000
"""More than the controllers need: their default of 20 would make the tests wait for that limit."""
_POLICY_BETA = (
    "--feature-gates=MutatingAdmissionPolicy=true",
    "--runtime-config=admissionregistration.k8s.io/v1beta1=true",
)
"""What makes 1.34 and 1.35 serve MutatingAdmissionPolicies, which are on by themselves in 1.36."""


class ControlPlane:
    """A running control plane; make one with `running()`."""

    def __init__(
        self, binaries: Binaries, folder: Path, *, manager_calls_per_s: int | None = None
    ) -> None:
        self.binaries = binaries
        self.folder = folder
        self._manager_calls_per_s = manager_calls_per_s or _MANAGER_CALLS_PER_S
        self.kubeconfig = folder / "kubeconfig"
        self.ca_file = folder / "certs" / "apiserver.crt"
        self.tokens: Mapping[str, str] = {}
        self.url = ""
        self.port = 0
        self._programs = Programs(folder)

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context that trusts this API server alone."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def pids(self) -> list[int]:
        """Return the process ids of the three programs."""
        return self._programs.pids()

    def suspended(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Stop one of the programs where it stands for the block."""
        return self._programs.suspended(name)

    def log(self, name: str) -> str:
        """Return what one of the programs wrote so far."""
        return self._programs.log(name)

    async def start(self) -> None:
        """Start the three programs and return when all are ready.

        Raises:
            ControlPlaneError: one of them ended or was not ready in time.
        """
        self.tokens = credentials.write_tokens(self.folder / "tokens.csv")
        private, public = credentials.write_service_account_key(self.folder)
        etcd, etcd_peers, api, manager = free_ports(4)
        self.port, self.url = api, f"https://127.0.0.1:{api}"
        await self._start_etcd(etcd, etcd_peers)
        await self._start_api_server(etcd, api, (private, public))
        # The certificate appears with the API server, and the kubeconfig names its file.
        credentials.write_kubeconfig(self.kubeconfig, self.url, self.ca_file, self.tokens)
        await self._until_ready("kube-apiserver", f"{self.url}/readyz")
        await self._start_controller_manager(manager)
        await self._grant_roles()
        await self._until_ready("kube-controller-manager", f"https://127.0.0.1:{manager}/healthz")
        await self._programs.until("kube-controller-manager", self._roles_are_filled)

    async def restart_api_server(self) -> None:
        """Kill the API server, start it again, and return when it is ready."""
        await self._programs.restart(self.binaries.api_server.name)
        await self._until_ready("kube-apiserver", f"{self.url}/readyz")

    def written(self) -> list[Written]:
        """Return all that anyone asked the API server to write so far."""
        return audit.read(self.folder)

    async def stop(self) -> None:
        """End all programs, the last one started first."""
        await self._programs.stop()

    async def _start_etcd(self, client_port: int, peer_port: int) -> None:
        client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
        await self._programs.start(
            self.binaries.etcd,
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
        await self._programs.start(
            self.binaries.api_server,
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--cert-dir={self.ca_file.parent}",
            "--bind-address=127.0.0.1",
            # A loopback address may not become an endpoint of the Service `kubernetes`, and without
            # an advertised address the server insists on a default route.
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={port}",
            f"--service-cluster-ip-range={namespace.SERVICE_NETWORK}",
            "--service-account-issuer=https://kubernetes.default",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={private}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            *audit.options(self.folder),
            *(_POLICY_BETA if self.binaries.minor < 36 else ()),
        )

    async def _start_controller_manager(self, port: int) -> None:
        await self._programs.start(
            self.binaries.controller_manager,
            f"--kubeconfig={self.kubeconfig}",
            "--leader-elect=false",
            "--use-service-account-credentials=false",
            f"--controllers={','.join(_CONTROLLERS)}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--kube-api-qps={self._manager_calls_per_s}",
            f"--kube-api-burst={2 * self._manager_calls_per_s}",
            # An autoscaler looks every 15 s and leaves young pods out of account for minutes.
            "--horizontal-pod-autoscaler-sync-period=1s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
        )

    async def _until_ready(self, name: str, url: str) -> None:
        async def answers_ok() -> bool:
            return await self._get(url) is not None

        await self._programs.until(name, answers_ok)

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
async def running(
    binaries: Binaries, *, manager_calls_per_s: int | None = None
) -> AsyncIterator[ControlPlane]:
    """Run a control plane in a temporary folder for as long as the block lasts.

    `manager_calls_per_s` limits what its controllers ask of the API server in a second.
    """
    for attempt in range(1, _START_ATTEMPTS + 1):
        with tempfile.TemporaryDirectory(prefix="serinus-control-plane-") as folder:
            plane = ControlPlane(binaries, Path(folder), manager_calls_per_s=manager_calls_per_s)
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


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
