from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from serinus import errors
from serinus.local_cluster import ports
from serinus.local_cluster.server.process import Server
from serinus.local_cluster.state_folder import StateFolder
from tests.unit.local_cluster.server.https_bench import (
    CONFIG_MAPS,
    Caller,
    config_map,
    serving,
    until,
)


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[tuple[Server, Caller]]:
    async with serving(tmp_path / "state") as running:
        yield running


async def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    async with serving(tmp_path / "state") as (_, call):
        await call.make("a", x="1")
        await call.make("gone")
        await call.send("DELETE", f"{CONFIG_MAPS}/gone")
        before = await call.get(CONFIG_MAPS)
        spaces = await call.get("/api/v1/namespaces")
    async with serving(tmp_path / "state") as (_, call):
        after = await call.get(CONFIG_MAPS)
        assert after["items"] == before["items"]
        assert (await call.get("/api/v1/namespaces"))["items"] == spaces["items"]
        made = await call.make("b")
        assert int(made["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


async def test_the_port_the_token_and_the_authority_stay_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "state"
    async with serving(path):
        before = StateFolder(path).kubeconfig.read_bytes()
    server = Server(path)
    await server.start()
    assert StateFolder(path).kubeconfig.read_bytes() == before
    await server.stop()


async def test_custom_kinds_and_taken_ports_are_known_after_a_restart(tmp_path: Path) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boxes.example.org"},
        "spec": {
            "group": "example.org",
            "scope": "Cluster",
            "names": {"plural": "boxes", "singular": "box", "kind": "Box"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"size": {"type": "integer", "default": 1}},
                        }
                    },
                }
            ],
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 32601}]},
    }
    services = "/api/v1/namespaces/default/services"
    box = {"apiVersion": "example.org/v1", "kind": "Box", "metadata": {"name": "one"}}
    async with serving(tmp_path / "state") as (_, call):
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        assert (await call.send("POST", path, definition))[0] == 201

        async def is_served() -> bool:
            return (await call.send("GET", "/apis/example.org/v1/boxes"))[0] == 200

        await until(is_served)
        status, made = await call.send("POST", "/apis/example.org/v1/boxes", box)
        assert (status, made["size"]) == (201, 1)
        status, stored = await call.send("POST", services, service)
        assert status == 201
    async with serving(tmp_path / "state") as (_, call):
        assert await call.get("/apis/example.org/v1/boxes/one") == made
        other = {**service, "metadata": {"name": "other"}}
        status, refused = await call.send("POST", services, other)
        assert status == 422
        assert "provided port is already allocated" in refused["message"]
        spare = {**service, "metadata": {"name": "spare"}, "spec": {"ports": [{"port": 80}]}}
        status, given = await call.send("POST", services, spare)
        assert given["spec"]["clusterIP"] != stored["spec"]["clusterIP"]


async def test_two_new_clusters_at_once_take_two_ports(tmp_path: Path) -> None:
    servers = [Server(tmp_path / name) for name in ("one", "two", "three")]
    taken = await asyncio.gather(*(server.start(name="new") for server in servers))
    assert len(set(taken)) == 3
    assert set(taken) <= set(ports.RANGE)
    for server in servers:
        await server.stop()
    record = StateFolder(tmp_path / "one").read_record()
    assert record is not None
    assert (record.name, record.port) == ("new", taken[0])


async def test_a_port_that_is_soon_released_is_waited_for(tmp_path: Path) -> None:
    first, second = Server(tmp_path / "state"), Server(tmp_path / "state")
    port = await first.start(0)
    await first.stop()
    holder = socket.create_server(("127.0.0.1", port))
    starting = asyncio.create_task(second.start())
    asyncio.get_running_loop().call_later(0.2, holder.close)
    assert await starting == port
    await second.stop()


async def test_a_port_that_is_taken_meanwhile_is_refused(tmp_path: Path) -> None:
    first, second = Server(tmp_path / "state"), Server(tmp_path / "state")
    port = await first.start(0)
    await first.stop()
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(errors.RefusedError, match=f"cannot listen on 127.0.0.1:{port}"):
            await second.start()
        await second.stop()


async def _start(path: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "serinus.local_cluster.server", "--state-folder", str(path),
        start_new_session=True,
    )  # fmt: skip


async def _caller(path: Path, session: aiohttp.ClientSession) -> Caller:
    """Return a caller once the server of a folder answers."""
    folder = StateFolder(path)
    record = folder.read_record()
    assert record is not None
    call = Caller(session, f"https://127.0.0.1:{record.port}", folder.token.read_text())

    async def answers() -> bool:
        try:
            return (await call.send("GET", "/readyz"))[0] == 200
        except aiohttp.ClientError:
            return False

    await until(answers)
    return call


def _is_made(path: Path) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return StateFolder(path).kubeconfig.exists()

    return check


def _is_longer(known: dict[str, Any], goal: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return len(known) >= goal

    return check


def _session(path: Path) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=str(StateFolder(path).ca_certificate))
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))


async def _write_until_killed(call: Caller, writer: int, known: dict[str, Any]) -> None:
    """Create, change and delete objects; remember what was acknowledged of each."""
    number = 0
    while True:
        name = f"w{writer}-{number}"
        number += 1
        try:
            known[name] = "unsure"
            status, _ = await call.send("POST", CONFIG_MAPS, config_map(name, n="0"))
            assert status == 201
            known[name] = "0"
            if number % 2:
                known[name] = ("0", "1")
                status, _ = await call.send("PUT", f"{CONFIG_MAPS}/{name}", config_map(name, n="1"))
                assert status == 200
                known[name] = "1"
            if number % 3 == 0:
                known[name] = "unsure"
                status, _ = await call.send("DELETE", f"{CONFIG_MAPS}/{name}")
                assert status == 200
                known[name] = "absent"
        except aiohttp.ClientError:
            return


def _is_as_acknowledged(known: Any, found: str) -> bool:
    return known == "unsure" or (found in known if isinstance(known, tuple) else found == known)


async def test_no_acknowledged_write_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "state"
    known: dict[str, Any] = {}
    for round_ in range(3):
        process = await _start(path)
        await until(_is_made(path))
        async with _session(path) as session:
            call = await _caller(path, session)
            page = await call.get(CONFIG_MAPS)
            found = {i["metadata"]["name"]: i["data"]["n"] for i in page["items"]}
            wrong = {
                name: (want, found.get(name, "absent"))
                for name, want in known.items()
                if not _is_as_acknowledged(want, found.get(name, "absent"))
            }
            assert wrong == {}
            writers = [
                asyncio.create_task(_write_until_killed(call, round_ * 10 + writer, known))
                for writer in range(4)
            ]
            goal = len(known) + 60
            await until(_is_longer(known, goal))
            os.kill(process.pid, signal.SIGKILL)
            await asyncio.gather(*writers)
            await process.wait()
    assert len(known) > 100
    process = await _start(path)
    async with _session(path) as session:
        call = await _caller(path, session)
        for name, want in known.items():
            status, item = await call.send("GET", f"{CONFIG_MAPS}/{name}")
            found_now = item["data"]["n"] if status == 200 else "absent"
            assert _is_as_acknowledged(want, found_now), (name, want, found_now)
    process.terminate()
    assert await process.wait() == 0


async def test_a_full_disk_refuses_writes_and_shows_none_of_them(
    bench: tuple[Server, Caller],
) -> None:
    server, call = bench
    await call.make("before", x="1")
    assert server._live is not None
    database = server._live._log._database
    (count,) = database.execute("PRAGMA page_count").fetchone()
    # SQLite answers "database or disk is full" beyond this limit, as it does on a full disk.
    database.execute(f"PRAGMA max_page_count = {count}")
    async with call.watch(f"{CONFIG_MAPS}?resourceVersion=0") as events:
        assert await events.names(1) == [("ADDED", "before")]
        refused = 0
        for number in range(20):
            body = config_map(f"big-{number}", x="y" * 50_000)
            status, document = await call.send("POST", CONFIG_MAPS, body)
            assert status == 507
            assert document["kind"] == "Status"
            assert "free some space" in document["message"]
            refused += 1
        assert refused == 20
        assert [i["metadata"]["name"] for i in (await call.get(CONFIG_MAPS))["items"]] == ["before"]
        assert (await call.get(f"{CONFIG_MAPS}/before"))["data"] == {"x": "1"}
        database.execute("PRAGMA max_page_count = 100000")
        await call.make("after")
        assert await events.names(1) == [("ADDED", "after")]


async def test_controllers_go_on_after_the_disk_was_full(bench: tuple[Server, Caller]) -> None:
    server, call = bench
    labels = {"app": "shop"}
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels, "annotations": {"filler": "z" * 60_000}},
            "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
        },
    }
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": spec,
    }
    assert server._live is not None
    database = server._live._log._database
    (count,) = database.execute("PRAGMA page_count").fetchone()
    # Room for the Deployment and not for what its controllers make of it.
    database.execute(f"PRAGMA max_page_count = {count + 25}")
    status, _ = await call.send("POST", "/apis/apps/v1/namespaces/default/deployments", body)
    assert status == 201
    assert (await call.get("/api/v1/pods"))["items"] == []
    database.execute("PRAGMA max_page_count = 100000")

    async def has_two_pods() -> bool:
        return len((await call.get("/api/v1/pods"))["items"]) == 2

    await until(has_two_pods)


async def test_a_second_server_on_the_same_folder_is_refused(
    bench: tuple[Server, Caller], tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "serinus.local_cluster.server",
        "--state-folder", str(tmp_path / "state"), "--port", "0",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"another server of this cluster runs" in said
