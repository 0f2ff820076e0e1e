from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from serinus import errors
from serinus.kube import objects
from serinus.kube.client import Client, PatchType, Propagation
from serinus.kube.config import Connection
from serinus.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, PODS
from tests.unit.kube.api_server import ApiServer, answers, failure, resets, stays_silent

V1 = "client.authentication.k8s.io/v1"


class FixedClock:
    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.now = now

    def now_ms(self) -> int:
        return self.now


def to(server: ApiServer, **more: Any) -> Client:
    return Client(Connection(server=server.url, **more), request_timeout_ms=5_000)


def authorizations(server: ApiServer) -> list[str]:
    return [r.headers.get("Authorization", "") for r in server.requests]


# --- verbs


async def test_an_object_is_created_read_changed_and_deleted(
    server: ApiServer, client: Client
) -> None:
    body = {"metadata": {"name": "shop", "namespace": "prod"}, "spec": {"replicas": 3}}
    created = await client.create(DEPLOYMENTS, body, field_manager="serinus")
    assert created["metadata"]["resourceVersion"] == "101"
    found = await client.get(DEPLOYMENTS, "shop", "prod")
    assert created == found
    replaced = await client.replace(DEPLOYMENTS, {**found, "spec": {"replicas": 4}})
    assert replaced["spec"] == {"replicas": 4}
    with pytest.raises(errors.Conflict):
        await client.replace(DEPLOYMENTS, found)
    patched = await client.patch(DEPLOYMENTS, "shop", "prod", {"spec": {"paused": True}})
    assert patched["spec"] == {"paused": True}
    with pytest.raises(errors.Conflict):
        await client.delete(DEPLOYMENTS, "shop", "prod", uid="another")
    uid = found["metadata"]["uid"]
    await client.delete(DEPLOYMENTS, "shop", "prod", uid=uid, propagation=Propagation.ORPHAN)
    assert await client.find(DEPLOYMENTS, "shop", "prod") is None
    with pytest.raises(errors.NotFound, match='deployments "shop" not found'):
        await client.get(DEPLOYMENTS, "shop", "prod")


async def test_a_fenced_client_reads_on_but_writes_nothing_once_it_may_not(
    server: ApiServer, client: Client
) -> None:
    leads = True
    fenced = client.fenced(lambda: leads)
    body = {"metadata": {"name": "shop", "namespace": "prod"}, "spec": {"replicas": 3}}
    created = await fenced.create(DEPLOYMENTS, body)
    leads = False
    sent = len(server.requests)
    for write in (
        fenced.create(CONFIG_MAPS, {"metadata": {"name": "other", "namespace": "prod"}}),
        fenced.replace(DEPLOYMENTS, created),
        fenced.patch(DEPLOYMENTS, "shop", "prod", {"spec": {"paused": True}}),
        fenced.apply(DEPLOYMENTS, body, field_manager="serinus"),
        fenced.scale(DEPLOYMENTS, "shop", "prod", 4),
        fenced.delete(DEPLOYMENTS, "shop", "prod"),
        fenced.raw("DELETE", "/apis/apps/v1/namespaces/prod/deployments/shop"),
    ):
        with pytest.raises(errors.Unavailable, match="by now another may lead"):
            await write
    assert len(server.requests) == sent
    assert await fenced.get(DEPLOYMENTS, "shop", "prod") == created
    # Who made it is not bound: it renews the lease, and tells what happened.
    await client.patch(DEPLOYMENTS, "shop", "prod", {"spec": {"paused": True}})


async def test_a_long_object_is_sent_whole(server: ApiServer, client: Client) -> None:
    body = {"metadata": {"name": "long"}, "data": {"a": "x" * 1_400_000}}
    assert (await client.create(CONFIG_MAPS, body, "prod"))["data"] == body["data"]


async def test_a_second_creation_is_told_apart_from_a_conflict(
    server: ApiServer, client: Client
) -> None:
    server.put("deployments", "prod", "shop")
    with pytest.raises(errors.AlreadyExists):
        await client.create(DEPLOYMENTS, {"metadata": {"name": "shop"}}, "prod")


async def test_an_apply_names_kind_manager_and_type(server: ApiServer, client: Client) -> None:
    server.put("deployments", "prod", "shop")
    body = {"metadata": {"name": "shop"}, "spec": {"paused": True}}
    await client.apply(DEPLOYMENTS, body, "prod", field_manager="serinus", force=True)
    sent = server.requests[-1]
    assert sent.json == {"apiVersion": "apps/v1", "kind": "Deployment", **body}
    assert sent.query == {"fieldManager": "serinus", "force": "true"}
    assert sent.headers["Content-Type"] == PatchType.APPLY.value


async def test_scaling_patches_the_scale(server: ApiServer, client: Client) -> None:
    server.put("deployments", "prod", "shop")
    await client.scale(DEPLOYMENTS, "shop", "prod", 5, resource_version="101")
    assert server.requests[-1].path.endswith("/deployments/shop/scale")
    assert server.requests[-1].json["spec"] == {"replicas": 5}


async def test_a_long_list_is_read_in_chunks(server: ApiServer, client: Client) -> None:
    for number in range(12):
        server.put("pods", "prod", f"p{number:02}")
    found = await client.list(PODS, "prod", label_selector="app=shop", chunk_count=5)
    assert [p["metadata"]["name"] for p in found.items] == [f"p{n:02}" for n in range(12)]
    assert found.resource_version == str(server.version)
    assert [r.query.get("continue") for r in server.requests] == [None, "5", "10"]
    assert {r.query.get("labelSelector") for r in server.requests} == {"app=shop"}
    # The API server leaves the type out of the items; we put it back.
    assert {(p["apiVersion"], p["kind"]) for p in found.items} == {("v1", "Pod")}


async def test_a_list_whose_token_expires_begins_again(server: ApiServer, client: Client) -> None:
    for number in range(4):
        server.put("pods", "prod", f"p{number}")

    def first_page() -> web.Response:
        items = [{"metadata": {"name": "p0"}}]
        meta = {"resourceVersion": "1", "continue": "old"}
        return web.json_response({"metadata": meta, "items": items})

    expired = answers(lambda: failure(410, "Expired", "The provided continue parameter is too old"))
    server.next_answers.extend([answers(first_page), expired])
    found = await client.list(PODS, "prod", chunk_count=1)
    assert [p["metadata"]["name"] for p in found.items] == ["p0", "p1", "p2", "p3"]
    assert server.requests[-1].query == {}


async def test_an_empty_list_may_be_null(server: ApiServer, client: Client) -> None:
    body = {"metadata": {"resourceVersion": "9"}, "items": None}
    server.next_answers.append(answers(lambda: web.json_response(body)))
    found = await client.list(PODS, decode=objects.decoder(objects.Pod))
    assert (found.items, found.resource_version) == ([], "9")


async def test_a_watch_yields_events_and_ends_when_the_server_says_so(
    server: ApiServer, client: Client
) -> None:
    server.put("pods", "prod", "a")
    server.put("pods", "prod", "big", spec={"text": "x" * 300_000})
    seen = [
        (event.type, event.object["metadata"]["name"])
        async for event in client.watch(PODS, "prod", resource_version="100", timeout_ms=1_000)
    ]
    assert seen == [("ADDED", "a"), ("ADDED", "big")]


async def test_a_watch_that_is_left_frees_its_connection(server: ApiServer, client: Client) -> None:
    server.put("pods", "prod", "a")
    stream = client.watch(PODS, "prod", resource_version="100")
    async with contextlib.aclosing(stream):
        async for _ in stream:
            break
    await server.until(lambda: server.open_watches == 0)


async def test_a_broken_watch_is_unavailable_and_the_cut_event_is_not_told(
    server: ApiServer, client: Client
) -> None:
    server.next_watches.append(resets)
    stream = client.watch(PODS, "prod", resource_version="100")
    with pytest.raises(errors.Unavailable, match=r"broke|no proper answer"):
        await anext(stream)


async def test_logs_come_line_by_line(server: ApiServer, client: Client) -> None:
    text = "one\ntwo\r\n\nf\u00fcnf".encode() + b"\xff"
    server.next_answers.append(answers(lambda: web.Response(body=text)))
    lines = [line async for line in client.logs("a", "prod", tail_count=4)]
    assert lines == ["one", "two\r", "", "fünf\ufffd"]
    assert server.requests[-1].path == "/api/v1/namespaces/prod/pods/a/log"


async def test_the_version_and_any_path_can_be_read(server: ApiServer, client: Client) -> None:
    assert await client.version() == {"gitVersion": "v1.36.3"}
    raw = await client.raw("GET", "/version", query=[("a", "b c")], headers=[("Accept", "x/y")])
    assert json.loads(raw) == {"gitVersion": "v1.36.3"}
    sent = server.requests[-1]
    assert (sent.query, sent.headers.getall("Accept")) == ({"a": "b c"}, ["x/y"])


async def test_warnings_of_the_server_are_handed_on(server: ApiServer) -> None:
    def warned() -> web.Response:
        return web.json_response({}, headers={"Warning": '299 - "spec.x is deprecated"'})

    server.next_answers.append(answers(warned))
    heard: list[str] = []
    async with Client(Connection(server=server.url), on_warning=heard.append) as client:
        await client.version()
    assert heard == ["spec.x is deprecated"]


# --- what may go wrong on the way


async def test_a_stale_kubeconfig_reads_well() -> None:
    connection = Connection(
        server="https://127.0.0.1:1", context="old", source="/home/jane/.kube/config"
    )
    async with Client(connection) as client:
        with pytest.raises(errors.Unavailable) as caught:
            await client.get(DEPLOYMENTS, "shop", "prod")
    assert str(caught.value) == (
        'cannot get deployments.apps "shop" in namespace "prod": cannot reach the API server '
        "https://127.0.0.1:1 (context 'old' of /home/jane/.kube/config): Connection refused; "
        "check that the cluster runs, or choose another one with --context or --kubeconfig "
        "(`kubectl config get-contexts` lists them)"
    )
    assert caught.value.exit_code == 3
    assert caught.value.__cause__ is not None


async def test_a_server_that_does_not_answer_is_unavailable(server: ApiServer) -> None:
    release = asyncio.Event()

    async def waits(_: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.json_response({})

    server.next_answers.append(waits)
    server.next_watches.append(waits)
    async with Client(Connection(server=server.url), request_timeout_ms=100) as client:
        with pytest.raises(errors.Unavailable, match="did not answer in time"):
            await client.version()
        with pytest.raises(errors.Unavailable, match="did not answer in time"):
            async for _ in client.watch(PODS, resource_version="1"):
                pass
    release.set()


async def test_the_timeout_of_the_connection_goes_before_the_clients(server: ApiServer) -> None:
    release = asyncio.Event()
    server.next_answers.append(stays_silent(release))
    connection = Connection(server=server.url, request_timeout_ms=100)
    async with Client(connection, request_timeout_ms=60_000) as client:
        with pytest.raises(errors.Unavailable, match="in time"):
            await client.version()
    release.set()


@contextlib.asynccontextmanager
async def hanging_up(answer: bytes, answered_count: int) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers so many requests of a connection, and closes it on the next one."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(answered_count):
            heard.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[0])
            writer.write(answer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            heard.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[0])
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", heard


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"


async def test_a_read_is_sent_again_when_the_server_closed_the_idle_connection() -> None:
    async with hanging_up(OK, 1) as (url, heard), Client(Connection(server=url)) as client:
        assert await client.version() == {}
        assert await client.version() == {}
        assert heard == [b"GET", b"GET", b"GET"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
async def test_a_write_is_never_sent_twice(method: str) -> None:
    async with hanging_up(OK, 1) as (url, heard), Client(Connection(server=url)) as client:
        await client.version()
        with pytest.raises(errors.Unavailable, match="may have happened all the same"):
            await client.raw(method, "/api/v1/x")
        assert heard == [b"GET", method.encode()]


async def test_a_read_that_always_breaks_is_given_up() -> None:
    async with hanging_up(OK, 0) as (url, heard), Client(Connection(server=url)) as client:
        with pytest.raises(errors.Unavailable, match="broke"):
            await client.version()
        assert heard == [b"GET", b"GET"]


@pytest.mark.parametrize(
    "body", [b"<html>hello</html>", b"[]", b"", b'{"items": 3}', b'{"metadata": null}']
)
async def test_an_answer_from_something_else_is_told(server: ApiServer, body: bytes) -> None:
    server.next_answers.append(answers(lambda: web.Response(body=body)))
    async with to(server) as client:
        with pytest.raises(errors.Unavailable, match="is the server's address right"):
            await client.list(PODS)


async def test_an_answer_that_leads_elsewhere_is_not_followed(server: ApiServer) -> None:
    moved = answers(lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}))
    server.next_answers.append(moved)
    async with to(server, token="secret") as client:
        with pytest.raises(errors.ClusterError, match="302"):
            await client.version()


async def test_objects_are_decoded_as_asked(server: ApiServer, client: Client) -> None:
    server.put("pods", "prod", "a", status={"podIP": "10.0.0.1"})
    found = await client.list(PODS, "prod", decode=objects.decoder(objects.Pod))
    assert found.items[0].status.pod_ip == "10.0.0.1"
    raw = await client.list(PODS, "prod", decode=msgspec.Raw.copy)
    assert b'"10.0.0.1"' in bytes(raw.items[0])
