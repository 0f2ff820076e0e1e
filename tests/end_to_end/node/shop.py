"""A Deployment and a Service to be asked over the network."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from tests.end_to_end.node import bench
from tests.end_to_end.node.bench import a_pod

LABELS = {"app": "shop"}


def a_deployment(replica_count: int, **container: Any) -> dict[str, Any]:
    spec = a_pod(**container)["spec"]
    return {
        "metadata": {"name": "shop"},
        "spec": {
            "replicas": replica_count,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": spec},
        },
    }


def a_service(**spec: Any) -> dict[str, Any]:
    ports = spec.pop("ports", [{"port": 80, "targetPort": 80}])
    body = {"type": "NodePort", "selector": LABELS, "ports": ports, **spec}
    return {"metadata": {"name": "shop"}, "spec": body}


async def ask(host: str, port: int) -> str:
    """Ask on a new connection; return the name of the pod that answered."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{port}/") as response,
    ):
        body = json.loads(await response.text())
        return str(body["pod"])


async def until_answered_by(host: str, port: int, pod_count: int) -> set[str]:
    """Ask until so many different pods have answered."""
    found: set[str] = set()
    async with asyncio.timeout(bench.WITHIN_S):
        while len(found) < pod_count:
            try:
                found.add(await ask(host, port))
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.02)
    return found
