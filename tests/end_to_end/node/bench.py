"""A node on an API server, and what tests ask of its pods."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil
import yaml

from serinus.errors import NotFound
from serinus.kube import config, kinds
from serinus.kube.client import Client
from serinus.local_cluster.node import run
from serinus.local_cluster.node.context import Settings

Manifest = dict[str, Any]
WITHIN_S = 20.0
QUICK = Settings(
    restart_first_ms=100, restart_ceiling_ms=200, shortest_grace_ms=300, shutdown_grace_ms=300
)


class Network(msgspec.Struct, frozen=True):
    """Where pods and node ports are."""

    pod_cidr: str
    node_address: str


LOOPBACK = Network("127.1.0.0/16", "127.0.0.1")


class Bench:
    """One namespace of the cluster, and the folder of the node that runs its pods."""

    def __init__(self, client: Client, namespace: str, state: Path) -> None:
        self.client, self.namespace, self.state = client, namespace, state

    async def create(self, pod: Manifest) -> str:
        """Create a pod; return its name."""
        made = await self.client.create(kinds.PODS, pod, self.namespace)
        return str(made["metadata"]["name"])

    async def pod(self, name: str) -> Manifest:
        return await self.client.get(kinds.PODS, name, self.namespace)

    async def until(self, name: str, condition: Callable[[Manifest], Any]) -> Manifest:
        """Return the pod as soon as the condition holds; else fail, showing its status."""
        pod: Manifest = {}
        try:
            async with asyncio.timeout(WITHIN_S):
                while True:
                    pod = await self.pod(name)
                    if condition(pod):
                        return pod
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(
                f"not in time: {json.dumps(pod.get('status'), indent=1)}"
            ) from None

    async def until_ready(self, name: str) -> Manifest:
        return await self.until(name, is_ready)

    async def until_gone(self, name: str) -> None:
        async with asyncio.timeout(WITHIN_S):
            with contextlib.suppress(NotFound):
                while True:
                    await self.pod(name)
                    await asyncio.sleep(0.02)

    async def delete(self, name: str, grace_s: int | None = None) -> None:
        await self.client.delete(kinds.PODS, name, self.namespace, grace_period_s=grace_s)

    async def events(self, name: str, reason: str) -> list[Manifest]:
        """Return the Events of a reason, waiting for the first."""
        selector = f"involvedObject.name={name},reason={reason}"
        async with asyncio.timeout(WITHIN_S):
            while True:
                found = await self.client.list(
                    kinds.EVENTS, self.namespace, field_selector=selector
                )
                if found.items:
                    return found.items
                await asyncio.sleep(0.05)

    def log(self, pod: Manifest, container: str = "main", run_count: int = 0) -> str:
        uid = pod["metadata"]["uid"]
        path: Path = self.state / "pods" / uid / container / f"{run_count}.log"
        return path.read_text()

    async def until_logged(self, pod: Manifest, text: str, run_count: int = 0) -> str:
        async with asyncio.timeout(WITHIN_S):
            while True:
                with contextlib.suppress(FileNotFoundError):
                    log = self.log(pod, run_count=run_count)
                    if text in log:
                        return log
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def bench(kubeconfig: Path, namespace: str, state: Path) -> AsyncIterator[Bench]:
    """Make a namespace, and leave nothing of it behind."""
    async with Client(config.load(kubeconfig)) as client:
        await client.create(kinds.NAMESPACES, {"metadata": {"name": namespace}})
        try:
            yield Bench(client, namespace, state)
        finally:
            for pod in (await client.list(kinds.PODS, namespace)).items:
                with contextlib.suppress(NotFound):
                    await client.delete(
                        kinds.PODS, pod["metadata"]["name"], namespace, grace_period_s=0
                    )
            await client.delete(kinds.NAMESPACES, namespace)


@contextlib.asynccontextmanager
async def node(
    kubeconfig: Path,
    state: Path,
    *,
    images: Sequence[Path] = (),
    network: Network | None = None,
    services: run.Services = run.Services.OWN,
) -> AsyncIterator[None]:
    """Run a node in this process."""
    network = network or LOOPBACK
    options = run.NodeOptions(
        kubeconfig=kubeconfig,
        state=state,
        images=tuple(images),
        pod_cidr=network.pod_cidr,
        services=services,
        settings=msgspec.structs.replace(QUICK, node_address=network.node_address),
    )
    stop = asyncio.Event()
    running = asyncio.create_task(run.run(options, stop))
    try:
        yield
    finally:
        stop.set()
        await running


def a_pod(name: str = "shop", **container: Any) -> Manifest:
    """Build a pod of one container `main`; keys of `spec` in capitals go to the pod's spec."""
    spec = container.pop("SPEC", {})
    main = {"name": "main", "image": "nginx:1.8.0", **container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 5, "containers": [main], **spec},
    }


def a_script(text: str, name: str = "shop", **container: Any) -> Manifest:
    """Build a pod whose container runs a shell script."""
    return a_pod(name, command=["/bin/sh", "-c", text], **container)


def condition(pod: Manifest, kind: str) -> Manifest:
    """Return one of a pod's conditions; empty when it has none of that type."""
    found = (c for c in pod["status"].get("conditions", ()) if c["type"] == kind)
    return next(found, {})


def is_ready(pod: Manifest) -> bool:
    return condition(pod, "Ready").get("status") == "True"


def main_status(pod: Manifest) -> Manifest:
    """Return the status of the first container; empty when there is none yet."""
    statuses: list[Manifest] = pod["status"].get("containerStatuses") or [{}]
    return statuses[0]


def processes_of(pod: Manifest) -> list[psutil.Process]:
    """Return all live processes that a pod has started, found by their environment."""
    uid, found = pod["metadata"]["uid"], []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if (
                each.environ().get("SERINUS_POD_UID") == uid
                and each.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(each)
    return found


async def until(condition_: Callable[[], Any]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            if condition_():
                return
            await asyncio.sleep(0.02)


async def until_true(condition_: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            if await condition_():
                return
            await asyncio.sleep(0.02)


def port_of(kubeconfig: Path) -> int:
    """Return the port of the first cluster of a kubeconfig."""
    content = yaml.safe_load(kubeconfig.read_text())
    return int(content["clusters"][0]["cluster"]["server"].rpartition(":")[2])


def redirected(kubeconfig: Path, port: int, to: Path) -> Path:
    """Write a copy of a kubeconfig that goes through another port of this machine."""
    content = yaml.safe_load(kubeconfig.read_text())
    for cluster in content["clusters"]:
        cluster["cluster"]["server"] = f"https://127.0.0.1:{port}"
    to.write_text(yaml.safe_dump(content))
    return to
