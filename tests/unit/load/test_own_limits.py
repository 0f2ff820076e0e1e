"""When this client runs out of ports or files, the run is invalid and says so.

The limits are made real and small: a file limit in a child process, and a network namespace of its
own with five ephemeral ports.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest

_PRELUDE = """
import asyncio, json, os, resource, sys
from serinus.load.outcome import ConnectionKind
from serinus.load.plan import LoadPlan
from serinus.load.run import run
from serinus.process import SystemClock
from tests.unit.load.servers import Visit, polite, serving

async def hang(visit: Visit) -> None:
    await visit.request()
    await visit.request()

def own_network():
    import ctypes, fcntl, socket, struct
    user, net = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET: linux/sched.h
    if ctypes.CDLL(None).unshare(net if os.geteuid() == 0 else user | net):
        sys.exit(77)
    try:
        with socket.socket() as sock:  # SIOCSIFFLAGS: lo is up and running
            fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as file:
            file.write("40000 40004")
    except OSError:
        sys.exit(77)

def report(handler, before, **options):
    async def main():
        async with serving(handler) as server:
            before()
            plan = LoadPlan(url=server.url, duration_ms=None, timeout_ms=1000, **options)
            return await run(plan, clock=SystemClock())
    sys.stdout.buffer.write(asyncio.run(main()).to_json())
"""


def child(script: str) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-c", _PRELUDE + textwrap.dedent(script)],
        capture_output=True,
        timeout=30,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(["src", "."])},
    )
    if result.returncode == 77:
        pytest.skip("this machine gives no network namespace to an ordinary user")
    assert result.returncode == 0, result.stderr.decode()
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_NOFILE is POSIX")
def test_running_out_of_files_makes_the_run_invalid() -> None:
    report = child("""
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))
        report(hang, limit, rate_per_s=200, requests_max=60)
    """)
    assert report["counts"]["notSent"] > 0
    assert not report["valid"]
    assert "INVALID" in report["warnings"][0]
    assert "Too many open files" in report["warnings"][0]
    assert sum(report["counts"].values()) == report["plannedCount"] == 60


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_running_out_of_ports_makes_the_run_invalid() -> None:
    report = child("""
        own_network()
        report(hang, lambda: None, rate_per_s=100, requests_max=20, rotate_sources=False)
    """)
    # One of the five is the server's own.
    assert report["counts"]["notSent"] >= 15
    assert report["counts"]["timedOut"] == 20 - report["counts"]["notSent"]
    assert not report["valid"]
    assert "Cannot assign requested address" in report["warnings"][0]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only 127.0.0.1 is loopback")
def test_rotating_source_addresses_makes_ports_last_longer() -> None:
    report = child("""
        own_network()
        report(hang, lambda: None, rate_per_s=200, requests_max=100)
    """)
    assert report["counts"]["notSent"] == 0
    assert report["counts"]["timedOut"] == 100
    assert report["valid"]
