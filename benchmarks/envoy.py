"""Our whole configuration against a bare Envoy: 20 rules, sticky users, tag, retry on stable.

A client written in Python is slower than Envoy; `wrk` is used where it is installed.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import psutil

from benchmarks import measure
from benchmarks.balancer import free_port
from serinus.assignment.identity import IdCookie, IdentityKind, IdentitySource
from serinus.assignment.intervals import Version
from serinus.assignment.split import Split
from serinus.router_agent import program
from serinus.router_agent.admin import Admin
from serinus.rules.parsing import parse
from serinus.rules.tree import Destination, Rule
from serinus.traffic.envoy.bootstrap import bootstrap
from serinus.traffic.envoy.files import files
from serinus.traffic.envoy.messages import address, message
from serinus.traffic.envoy.plan import Endpoint, Port, RetryOnStable, RouterPlan

ROUND_COUNT = 6
CONNECTIONS = 32
RULE_COUNT = 20
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_HTTP = "envoy.extensions.filters."


def our_plan(port: int) -> RouterPlan:
    """Return a plan in which no rule hits, so that every request walks past all of them."""
    texts = [
        "request.headers['x-region'] in ['r{n}', 's{n}']",
        "request.path.startsWith('/beta-{n}')",
        "request.cookies['group'] == 'g{n}'",
        "request.query['flag'] == 'f{n}' && request.method == 'GET'",
    ]
    rules = tuple(
        Rule(f"r{n}", parse(texts[n % len(texts)].format(n=n)), Destination.CANARY)
        for n in range(RULE_COUNT)
    )
    identity = (IdentitySource(IdentityKind.HEADER, "x-user"),)
    split = Split("default/shop/7", 1_000, rules, identity, IdCookie())
    return RouterPlan(
        name="default/shop",
        ports=(Port("http", port),),
        split=split,
        retry_on_stable=RetryOnStable(),
    )


def write_ours(folder: Path, port: int, backend_port: int) -> None:
    """Write what the agent would, for a backend that plays both versions."""
    plan, place = our_plan(port), (Endpoint("127.0.0.1", backend_port),)
    endpoints = {("http", version): place for version in Version}
    for file in files(plan, endpoints, folder=str(folder)):
        (folder / file.name).write_bytes(file.text)
    made = bootstrap(plan, listen_host="127.0.0.1", folder=str(folder))
    (folder / "bootstrap.json").write_bytes(msgspec.json.encode(made))


def bare(folder: Path, port: int, backend_port: int) -> dict[str, Any]:
    """Return the least that makes an HTTP proxy of an Envoy."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": "backend", "timeout": "0s"}}
    manager = message(
        _HTTP + "network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="bare",
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        http_filters=[{"name": "router", "typed_config": message(_HTTP + "http.router.v3.Router")}],
    )
    endpoint = {"endpoint": {"address": address("127.0.0.1", backend_port)}}
    return {
        "admin": {"address": {"pipe": {"path": f"{folder}/admin.sock", "mode": 0o600}}},
        "static_resources": {
            "listeners": [
                {
                    "name": "front",
                    "address": address("127.0.0.1", port),
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": [
                {
                    "name": "backend",
                    "load_assignment": {
                        "cluster_name": "backend",
                        "endpoints": [{"lb_endpoints": [endpoint]}],
                    },
                }
            ],
        },
    }


class Side:
    """An Envoy with its port."""

    def __init__(self, port: int, pid: int, start_ms: float) -> None:
        self.start_ms = start_ms
        self._url = f"http://127.0.0.1:{port}/shop/cart?item=7"
        self._process = psutil.Process(pid)
        self.cpu_us: list[float] = []

    @property
    def rss_mib(self) -> float:
        return float(self._process.memory_info().rss) / 2**20

    async def rate(self) -> float:
        """Return the answers a second, and note the CPU that each took."""
        before_s = self._cpu_s()
        rate = await asyncio.to_thread(load_rate, self._url)
        self.cpu_us.append(1e6 * (self._cpu_s() - before_s) / (rate * measure.LOAD_S))
        return rate

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def load_rate(url: str) -> float:
    """Return the answers a second that a client got from users with a header."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return measure.load_rate(url, "--keep-alive", "--header", "x-user: user-42")
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{measure.LOAD_S}s", "-H", "x-user: user-42", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = _RATE.search(said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return float(found[1])


async def start(stack: AsyncExitStack, folder: Path, port: int) -> Side:
    """Start an Envoy from the files in a folder."""
    command = [
        *(str(program.find()), "-c", str(folder / "bootstrap.json"), "--concurrency", "1"),
        *("--disable-hot-restart", "--log-level", "error"),
    ]
    began = time.perf_counter()
    process = await stack.enter_async_context(measure.child(*command))
    async with Admin(folder / "admin.sock") as admin:
        while not await admin.is_ready():  # noqa: ASYNC110 - Envoy tells nobody
            await asyncio.sleep(0.002)
    start_ms = 1_000 * (time.perf_counter() - began)
    await measure.until_connectable("127.0.0.1", port)
    return Side(port, process.pid, start_ms)


async def main() -> None:
    async with AsyncExitStack() as stack:
        backend, ours_port, bare_port = free_port(), free_port(), free_port()
        await stack.enter_async_context(measure.python("benchmarks.responder", str(backend)))
        await measure.until_connectable("127.0.0.1", backend)
        folders = [
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="envoy-"))) for _ in "ab"
        ]
        write_ours(folders[0], ours_port, backend)
        made = json.dumps(bare(folders[1], bare_port, backend))
        (folders[1] / "bootstrap.json").write_text(made)
        sides = {
            "ours": await start(stack, folders[0], ours_port),
            "bare": await start(stack, folders[1], bare_port),
        }
        found = await measure.alternating(
            {name: functools.partial(side.rate) for name, side in sides.items()}, ROUND_COUNT
        )
        for name, side in sides.items():
            measure.row(f"{name}: requests", f"{measure.median(found[name]):,.0f} /s")
            measure.row(f"{name}: CPU for a request", f"{measure.median(side.cpu_us):.1f} us")
            measure.row(f"{name}: memory after the load", f"{side.rss_mib:.0f} MiB")
            measure.row(f"{name}: start", f"{side.start_ms:.0f} ms")
        ratio = measure.ratio(found, "ours", "bare")
        client = "wrk" if shutil.which("wrk") else "serinus load, which is the limit here"
        measure.row(f"ours / bare, by {client}", f"{ratio:.2f}", ">= 0.85")
        spent = {name: measure.median(side.cpu_us) for name, side in sides.items()}
        measure.row("CPU of bare / ours", f"{spent['bare'] / spent['ours']:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
