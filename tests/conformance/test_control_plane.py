"""The bench itself: who may do what, the network of pods, and that nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from serinus.errors import Forbidden, RefusedError, Unauthorized
from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.kube.kinds import CONFIG_MAPS
from serinus.process import SystemClock
from tests.conformance.manifests import config_map
from tests.control_plane import bench, build, namespace
from tests.control_plane.bench import ControlPlane

ROOT = Path(__file__).parents[2]


def as_user(plane: ControlPlane, token: str) -> Client:
    ca = plane.ca_file.read_bytes()
    return Client(Connection(server=plane.url, ca=ca, token=token), clock=SystemClock())


@pytest.mark.skipif("KUBEBUILDER_ASSETS" in os.environ, reason="not built here")
async def test_it_reports_the_version_it_was_built_from(kubernetes: ControlPlane) -> None:
    async with as_user(kubernetes, kubernetes.tokens["admin"]) as client:
        version = await client.version()
    assert version["gitVersion"] == f"v{build.wanted_version(os.environ)}"


async def test_an_editor_writes_and_a_viewer_only_reads(kubernetes: ControlPlane) -> None:
    async with as_user(kubernetes, kubernetes.tokens["editor"]) as editor:
        await editor.create(CONFIG_MAPS, config_map("by-editor"), "default")
    async with as_user(kubernetes, kubernetes.tokens["viewer"]) as viewer:
        assert await viewer.get(CONFIG_MAPS, "by-editor", "default")
        with pytest.raises(Forbidden, match='User "viewer" cannot create resource "configmaps"'):
            await viewer.create(CONFIG_MAPS, config_map("by-viewer"), "default")


async def test_a_stranger_may_nothing_and_an_unknown_token_is_nobody(
    kubernetes: ControlPlane,
) -> None:
    async with as_user(kubernetes, kubernetes.tokens["stranger"]) as stranger:
        with pytest.raises(Forbidden, match='User "stranger" cannot list resource "configmaps"'):
            await stranger.list(CONFIG_MAPS, "default")
    async with as_user(kubernetes, "no-such-token") as nobody:
        with pytest.raises(Unauthorized):
            await nobody.list(CONFIG_MAPS, "default")


async def test_a_stopped_control_plane_leaves_neither_processes_nor_files(
    kubernetes: ControlPlane,
) -> None:
    async with bench.running(kubernetes.binaries) as plane:
        pids = plane.pids()
        assert len(pids) == 3
        assert all(psutil.pid_exists(pid) for pid in pids)
        folder = plane.folder
    assert not folder.exists()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_network_namespace_has_pod_addresses_and_low_ports() -> None:
    bind = (
        "import socket\n"
        "for address in ('10.244.7.9', '10.78.0.1'):\n"
        "    with socket.socket() as server:\n"
        "        server.bind((address, 80))\n"
        "        server.listen()\n"
        "        socket.create_connection((address, 80), 2).close()\n"
        "print('reached')\n"
    )
    try:
        command = namespace.enter([sys.executable, "-c", bind])
    except RefusedError as error:
        pytest.skip(f"NO NETWORK NAMESPACE: {error}")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "reached\n", done.stderr
    assert not namespace.is_inside()
