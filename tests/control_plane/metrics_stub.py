"""The resource metrics API (`metrics.k8s.io`), answering what a test says that pods use.

The real autoscaler asks it through the API server, which leads the whole API group on to us: by an
ExternalName Service, so that no address of ours needs to be an endpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from serinus.errors import NotFound
from serinus.kube import kinds, timestamps
from serinus.kube.client import Client
from serinus.kube.kinds import Kind
from serinus.local_cluster.server import certificates
from serinus.local_cluster.state_folder import StateFolder
from serinus.process import SystemClock

API_SERVICES = Kind("apiregistration.k8s.io", "v1", "APIService", "apiservices", namespaced=False)
_GROUP, _VERSION = "metrics.k8s.io", "v1beta1"
_API_VERSION = f"{_GROUP}/{_VERSION}"
_API_SERVICE = f"{_VERSION}.{_GROUP}"
_SERVICE, _NAMESPACE = "metrics-stub", "default"
_READY_WITHIN_S = 30

Usage = dict[str, str]
"""What one container uses, as quantities: `{"cpu": "10m", "memory": "20Mi"}`."""


class MetricsStub:
    """Answer for all running pods; every container of a pod uses what `usage_of` says."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.usage_of: Callable[[dict[str, Any]], Usage] = lambda _: {"cpu": "1m", "memory": "1Mi"}

    def app(self) -> web.Application:
        """Return what answers the API server."""
        app = web.Application()
        base = f"/apis/{_API_VERSION}"
        app.router.add_get(base, self._resources)
        app.router.add_get(f"{base}/namespaces/{{namespace}}/pods", self._pods)
        return app

    async def _resources(self, _: web.Request) -> web.Response:
        pods = {
            "name": "pods",
            "singularName": "",
            "namespaced": True,
            "kind": "PodMetrics",
            "verbs": ["get", "list"],
        }
        body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": _API_VERSION}
        return web.json_response({**body, "resources": [pods]})

    async def _pods(self, request: web.Request) -> web.Response:
        found = await self._client.list(
            kinds.PODS,
            request.match_info["namespace"],
            label_selector=request.query.get("labelSelector"),
        )
        now = timestamps.format_seconds(SystemClock().now_ms())
        items = [self._metrics(p, now) for p in found.items if p["status"]["phase"] == "Running"]
        body = {"kind": "PodMetricsList", "apiVersion": _API_VERSION, "metadata": {}}
        return web.json_response({**body, "items": items})

    def _metrics(self, pod: dict[str, Any], now: str) -> dict[str, Any]:
        metadata = {key: pod["metadata"].get(key) for key in ("name", "namespace", "labels")}
        containers = [
            {"name": container["name"], "usage": self.usage_of(pod)}
            for container in pod["spec"]["containers"]
        ]
        return {"metadata": metadata, "timestamp": now, "window": "10s", "containers": containers}


@contextlib.asynccontextmanager
async def running(client: Client) -> AsyncIterator[MetricsStub]:
    """Serve the API group for as long as the block lasts."""
    stub = MetricsStub(client)
    with tempfile.TemporaryDirectory(prefix="serinus-metrics-stub-") as folder:
        runner = web.AppRunner(stub.app(), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_tls(Path(folder)))
            await site.start()
            await _register(client, runner.addresses[0][1])
            yield stub
        finally:
            # A group that is registered and does not answer keeps namespaces from going.
            for kind, name, where in (
                (API_SERVICES, _API_SERVICE, None),
                (kinds.SERVICES, _SERVICE, _NAMESPACE),
            ):
                with contextlib.suppress(NotFound):
                    await client.delete(kind, name, where)
            await runner.cleanup()


def _tls(folder: Path) -> ssl.SSLContext:
    state = StateFolder(folder / "state")
    state.create()
    certificates.ensure(state, SystemClock().now_ms())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(state.server_certificate, state.server_key)
    return context


async def _register(client: Client, port: int) -> None:
    service = {
        "metadata": {"name": _SERVICE},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }
    await client.create(kinds.SERVICES, service, _NAMESPACE)
    spec = {
        "group": _GROUP,
        "version": _VERSION,
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {"name": _SERVICE, "namespace": _NAMESPACE, "port": port},
    }
    await client.create(API_SERVICES, {"metadata": {"name": _API_SERVICE}, "spec": spec})
    async with asyncio.timeout(_READY_WITHIN_S):
        while True:
            if _is_available(await client.get(API_SERVICES, _API_SERVICE)):
                return
            await asyncio.sleep(0.1)


def _is_available(service: dict[str, Any]) -> bool:
    conditions = (service.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Available" and c["status"] == "True" for c in conditions)
