"""The node dies, or the API server does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from serinus import process
from serinus.errors import RefusedError
from serinus.kube import kinds
from serinus.local_cluster.node import run
from tests.end_to_end.node import bench
from tests.end_to_end.node.bench import Bench, Network, a_pod, a_script, is_ready, main_status
from tests.end_to_end.node.shop import a_deployment, a_service, ask, until_answered_by


@contextlib.asynccontextmanager
async def node_process(kubeconfig: Path, state: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a node as it is run for users: a process of its own."""
    arguments = ["--kubeconfig", str(kubeconfig), "--state-folder", str(state)]
    with (state.parent / "node.log").open("ab") as log:
        child = await process.spawn(
            [sys.executable, "-m", "serinus.local_cluster.node", *arguments],
            env=dict(os.environ),
            stdout=log,
            stderr=log,
            die_with_parent=True,
        )
    try:
        yield child
    finally:
        await process.stop(child, grace_ms=8_000)


async def test_a_node_killed_with_its_pods_leaves_no_process_and_the_next_one_runs_them_again(
    kubeconfig: Path, idle_bench: Bench
) -> None:
    # A process that has left its parent survives the kill of the node: the next node ends it.
    script = "(trap '' HUP TERM; sleep 62) & echo up; exec sleep 61"
    async with node_process(kubeconfig, idle_bench.state) as first:
        await idle_bench.create(a_script(script))
        await idle_bench.create(a_pod("web"))
        pod = await idle_bench.until_ready("shop")
        web = await idle_bench.until_ready("web")
        await idle_bench.until_logged(pod, "up")
        before = {p.pid for p in bench.processes_of(pod)}
        assert len(before) == 2
        first.kill()
        await first.wait()
        if sys.platform == "linux":
            await bench.until(lambda: bench.processes_of(web) == [])
            await bench.until(lambda: len(bench.processes_of(pod)) == 1)
    async with node_process(kubeconfig, idle_bench.state) as second:
        again = await idle_bench.until(
            "shop", lambda p: main_status(p)["restartCount"] == 1 and is_ready(p)
        )
        assert before.isdisjoint(p.pid for p in bench.processes_of(pod))
        assert again["status"]["podIP"] == pod["status"]["podIP"]
        last = main_status(again)["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"]) == (137, "ContainerStatusUnknown")
        assert idle_bench.log(again) == "up\n"
        await idle_bench.until_logged(again, "up", run_count=1)
        second.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(second.wait(), 15) == 0
    assert bench.processes_of(pod) == []
    assert bench.processes_of(web) == []


async def test_a_second_node_in_the_same_folder_is_refused(kubeconfig: Path, shop: Bench) -> None:
    with pytest.raises(RefusedError, match="another node uses"):
        await run.run(run.NodeOptions(kubeconfig=kubeconfig, state=shop.state))


class Relay:
    """A TCP relay to the API server that can be cut."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._to = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to)
        pair = {writer, there_writer}
        self._writers |= pair
        try:
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        finally:
            self._writers -= pair


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_a_dead_api_server_touches_no_pod_and_the_node_goes_on_when_it_is_back(
    kubeconfig: Path, idle_bench: Bench, tmp_path: Path
) -> None:
    relay = Relay(bench.port_of(kubeconfig))
    await relay.open()
    redirected = bench.redirected(kubeconfig, relay.port, tmp_path / "kubeconfig")
    flag = tmp_path / "flag"
    probe = {"exec": {"command": ["test", "-e", str(flag)]}, "periodSeconds": 1}
    async with bench.node(redirected, idle_bench.state), aiohttp.ClientSession() as session:
        await idle_bench.create(a_pod("web", ports=[{"containerPort": 8080}]))
        await idle_bench.create(a_script("exec sleep 60", readinessProbe=probe))
        web = await idle_bench.until_ready("web")
        other = await idle_bench.until("shop", lambda p: main_status(p).get("started"))
        pids = {p.pid for pod in (web, other) for p in bench.processes_of(pod)}
        assert len(pids) == 2
        relay.cut()
        flag.touch()
        await idle_bench.delete("shop", grace_s=2)
        await idle_bench.create(a_pod("late"))
        for _ in range(20):
            async with session.get(f"http://{web['status']['podIP']}:8080/") as response:
                assert response.status == 200
        assert {p.pid for pod in (web, other) for p in bench.processes_of(pod)} == pids
        await relay.open()
        await idle_bench.until_ready("late")
        await idle_bench.until_gone("shop")
        assert bench.processes_of(other) == []
        assert {p.pid for p in bench.processes_of(web)} < pids
    relay.cut()


async def test_services_are_served_on_while_the_api_server_is_dead(
    kubeconfig: Path, idle_bench: Bench, network: Network, tmp_path: Path
) -> None:
    relay = Relay(bench.port_of(kubeconfig))
    await relay.open()
    redirected = bench.redirected(kubeconfig, relay.port, tmp_path / "kubeconfig")
    async with bench.node(redirected, idle_bench.state, network=network):
        client, namespace = idle_bench.client, idle_bench.namespace
        await client.create(kinds.DEPLOYMENTS, a_deployment(2), namespace)
        service = await client.create(kinds.SERVICES, a_service(), namespace)
        port = service["spec"]["ports"][0]["nodePort"]
        before = await until_answered_by(network.node_address, port, 2)
        relay.cut()
        answers = {await ask(network.node_address, port) for _ in range(200)}
        assert answers == before
        await client.scale(kinds.DEPLOYMENTS, "shop", namespace, 3)
        assert {await ask(network.node_address, port) for _ in range(200)} == before
        await relay.open()
        assert before < await until_answered_by(network.node_address, port, 3)
    relay.cut()


async def test_a_pod_that_must_not_run_twice_fails_when_its_node_was_killed(
    kubeconfig: Path, idle_bench: Bench
) -> None:
    never = {"restartPolicy": "Never"}
    async with node_process(kubeconfig, idle_bench.state) as first:
        await idle_bench.create(a_script("exec sleep 60", SPEC=never))
        pod = await idle_bench.until_ready("shop")
        first.kill()
        await first.wait()
    async with bench.node(kubeconfig, idle_bench.state):
        ended = await idle_bench.until("shop", lambda p: p["status"]["phase"] == "Failed")
        last = main_status(ended)["state"]["terminated"]
        assert (last["exitCode"], last["reason"]) == (137, "ContainerStatusUnknown")
        assert ended["status"]["startTime"] == pod["status"]["startTime"]
        assert bench.processes_of(pod) == []
        await idle_bench.delete("shop")
        await idle_bench.until_gone("shop")


async def test_a_pod_that_was_deleted_while_no_node_ran_goes_when_one_comes(
    kubeconfig: Path, idle_bench: Bench
) -> None:
    async with bench.node(kubeconfig, idle_bench.state):
        await idle_bench.create(a_script("exec sleep 60"))
        await idle_bench.until_ready("shop")
    await idle_bench.delete("shop")
    assert (await idle_bench.pod("shop"))["metadata"]["deletionTimestamp"]
    async with bench.node(kubeconfig, idle_bench.state):
        await idle_bench.until_gone("shop")
