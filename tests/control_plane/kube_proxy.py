"""Real kube-proxy in nftables mode, so that NodePorts and ClusterIPs are the real ones.

It changes the firewall of the network that it is in, so it runs only in a namespace of our own
(`tests.control_plane.namespace`), and needs `nft` there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from serinus.local_cluster.node.context import NODE_NAME
from tests.control_plane import namespace
from tests.control_plane.bench import ControlPlane, free_ports
from tests.control_plane.build import Binaries
from tests.control_plane.programs import Programs

# Where Debian has `nft`, which is not on the PATH of everyone.
_SEARCHED = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
# As kube-proxy names them (pkg/proxy/nftables/proxier.go).
_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))


def missing(binaries: Binaries) -> str | None:
    """Return why kube-proxy cannot run here, or None when it can."""
    if binaries.kube_proxy is None:
        return f"{binaries.folder} holds no kube-proxy"
    if not namespace.is_inside():
        return "this is no network namespace of our own"
    nft = shutil.which("nft", path=_SEARCHED)
    if nft is None:
        return "`nft` is missing (install the package nftables)"
    command = [nft, "--check", "add table ip serinus-probe"]
    probe = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"`nft` was refused: {probe.stderr.strip()}" if probe.returncode else None


@contextlib.asynccontextmanager
async def running(plane: ControlPlane) -> AsyncIterator[None]:
    """Run kube-proxy for the node of our agent, which need not be registered yet.

    Its rules go with it: a proxy of ours that comes next must not find its ports taken.
    """
    assert plane.binaries.kube_proxy is not None
    with tempfile.TemporaryDirectory(prefix="serinus-kube-proxy-") as folder:
        programs = Programs(Path(folder))
        health, metrics = free_ports(2)  # Fixed by default, and taken where another one runs.
        await programs.start(
            plane.binaries.kube_proxy,
            f"--kubeconfig={plane.kubeconfig}",
            f"--hostname-override={NODE_NAME}",
            "--proxy-mode=nftables",
            f"--cluster-cidr={namespace.POD_NETWORK}",
            f"--nodeport-addresses={namespace.NODE_NETWORK}",
            f"--healthz-bind-address=127.0.0.1:{health}",
            f"--metrics-bind-address=127.0.0.1:{metrics}",
            # Settings of the whole machine, which a namespace may not change.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
            env={**os.environ, "PATH": _SEARCHED},
        )
        try:
            await programs.until("kube-proxy", _has_rules)
            yield
        finally:
            await programs.stop()
            await asyncio.to_thread(_remove_rules)


async def _has_rules() -> bool:
    """Return whether the rules were written once; kube-proxy calls itself healthy before that."""
    found = await asyncio.to_thread(_nft, "list", "tables")
    return all(f"table {family} {name}" in found for family, name in _TABLES)


def _remove_rules() -> None:
    for table in _TABLES:
        # It may have ended before it wrote any.
        _nft("delete", "table", *table)


def _nft(*arguments: str) -> str:
    command, environment = ["nft", *arguments], {**os.environ, "PATH": _SEARCHED}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout
