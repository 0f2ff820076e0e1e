"""What the API server does with bytes that no careful client sends, and with several at once."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from serinus.local_cluster.server.process import Server
from serinus.local_cluster.server.serving.connection import BODY_MAX
from tests.unit.local_cluster.server.https_bench import CONFIG_MAPS, Caller, config_map, serving


class Wire:
    """A TLS connection, byte by byte."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authorization: str
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._authorization = authorization

    def request(self, line: str, *headers: str, body: bytes = b"") -> bytes:
        lines = [line, "Host: localhost", f"Authorization: {self._authorization}", *headers]
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def head(self) -> tuple[int, dict[str, str]]:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = text.rstrip().split("\r\n")
        fields = (line.partition(": ") for line in lines)
        return int(first.split(" ")[1]), {name: value for name, _, value in fields}

    async def answer(self) -> tuple[int, bytes]:
        status, headers = await self.head()
        return status, await self.reader.readexactly(int(headers["Content-Length"]))


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[tuple[Server, Caller, Wire]]:
    async with serving(tmp_path / "state") as (server, call):
        context = ssl.create_default_context(cafile=str(tmp_path / "state" / "ca.crt"))
        port = int(call.base.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        try:
            yield server, call, Wire(reader, writer, call.headers["Authorization"])
        finally:
            writer.close()


@pytest.fixture
def call(bench: tuple[Server, Caller, Wire]) -> Caller:
    return bench[1]


@pytest.fixture
def wire(bench: tuple[Server, Caller, Wire]) -> Wire:
    return bench[2]


async def test_requests_that_come_at_once_are_answered_in_their_order(
    call: Caller, wire: Wire
) -> None:
    names = [f"n-{number}" for number in range(20)]
    for name in names:
        await call.make(name)
    paths = [f"{CONFIG_MAPS}/{name}" for name in names]
    wire.writer.write(b"".join(wire.request(f"GET {path} HTTP/1.1") for path in paths))
    answers = [await wire.answer() for _ in names]
    assert [json.loads(body)["metadata"]["name"] for _, body in answers] == names


async def test_a_request_may_come_in_pieces(wire: Wire) -> None:
    whole = wire.request("GET /api/v1/namespaces/default HTTP/1.1")
    for number in range(0, len(whole), 7):
        wire.writer.write(whole[number : number + 7])
        await wire.writer.drain()
    status, body = await wire.answer()
    assert (status, json.loads(body)["kind"]) == (200, "Namespace")


async def test_a_request_behind_a_watch_is_answered_when_the_watch_has_ended(wire: Wire) -> None:
    watch = f"GET {CONFIG_MAPS}?watch=1&timeoutSeconds=1 HTTP/1.1"
    wire.writer.write(wire.request(watch) + wire.request("GET /version HTTP/1.1"))
    status, headers = await wire.head()
    assert (status, headers["Transfer-Encoding"]) == (200, "chunked")
    assert (await wire.reader.readuntil(b"0\r\n\r\n")).endswith(b"0\r\n\r\n")
    assert (await wire.answer())[0] == 200


async def test_an_old_client_gets_a_watch_that_ends_with_its_connection(
    call: Caller, wire: Wire
) -> None:
    await call.make("a")
    wire.writer.write(wire.request(f"GET {CONFIG_MAPS}?watch=1&timeoutSeconds=1 HTTP/1.0"))
    status, headers = await wire.head()
    assert (status, headers["Connection"]) == (200, "close")
    lines = (await wire.reader.read()).splitlines()
    assert "a" in [json.loads(line)["object"]["metadata"]["name"] for line in lines]


async def test_head_is_answered_without_a_body(wire: Wire) -> None:
    wire.writer.write(wire.request("HEAD /version HTTP/1.1") + wire.request("GET /api HTTP/1.1"))
    status, headers = await wire.head()
    assert (status, int(headers["Content-Length"]) > 0) == (200, True)
    assert (await wire.answer())[0] == 200


async def test_the_connection_ends_where_the_caller_says_so(wire: Wire) -> None:
    wire.writer.write(wire.request("GET /version HTTP/1.1", "Connection: close"))
    status, headers = await wire.head()
    assert (status, headers["Connection"]) == (200, "close")
    assert len(await wire.reader.read()) == int(headers["Content-Length"])


async def test_a_body_is_asked_for_where_the_caller_waits_for_that(wire: Wire) -> None:
    body = json.dumps(config_map("a")).encode()
    wire.writer.write(
        wire.request(
            f"POST {CONFIG_MAPS} HTTP/1.1",
            "Content-Type: application/json",
            "Expect: 100-continue",
            f"Content-Length: {len(body)}",
        )
    )
    assert (await wire.head())[0] == 100
    wire.writer.write(body)
    assert (await wire.answer())[0] == 201


async def test_a_body_in_chunks_is_read_and_one_that_is_too_large_costs_its_request_alone(
    wire: Wire,
) -> None:
    line = f"POST {CONFIG_MAPS} HTTP/1.1"
    chunked = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    body = json.dumps(config_map("a")).encode()
    for part in (b" " * (BODY_MAX + 1), body):
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(part), part)
        wire.writer.write(wire.request(line, *chunked, body=chunks))
    assert (await wire.answer())[0] == 413
    assert (await wire.answer())[0] == 201


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000, 431),
    ],
)
async def test_what_is_not_http_is_told_so_and_its_connection_ends(
    wire: Wire, sent: bytes, status: int
) -> None:
    wire.writer.write(sent)
    found, headers = await wire.head()
    assert (found, headers["Connection"]) == (status, "close")
    assert len(await wire.reader.read()) == int(headers["Content-Length"])


@pytest.mark.parametrize("target", ["https://localhost/version", "*"])
async def test_a_target_that_is_no_path_leads_to_the_root(wire: Wire, target: str) -> None:
    wire.writer.write(wire.request(f"GET {target} HTTP/1.1"))
    status, body = await wire.answer()
    assert (status, list(json.loads(body))) == (200, ["paths"])


async def test_what_a_caller_is_told_again_makes_no_header_of_its_own(call: Caller) -> None:
    body = {**config_map("a"), "colour\r\nX-Made: up": "red"}
    status, headers, _ = await call.full("POST", CONFIG_MAPS, body)
    assert status == 201
    assert "X-Made" not in headers
    assert "colour" in headers["Warning"]


async def test_a_stopping_server_ends_its_watches_in_good_order(
    bench: tuple[Server, Caller, Wire],
) -> None:
    server, call, wire = bench
    await call.make("a")
    wire.writer.write(wire.request(f"GET {CONFIG_MAPS}?watch=1 HTTP/1.1"))
    await wire.head()
    await wire.reader.readuntil(b'"name":"a"')
    await server.stop()
    assert (await wire.reader.read()).endswith(b"\r\n0\r\n\r\n")


async def test_answers_wait_for_a_caller_that_does_not_read(call: Caller, wire: Wire) -> None:
    await call.make("big", data="x" * 1_000_000)
    count = 60
    asked = wire.request(f"GET {CONFIG_MAPS}/big HTTP/1.1") * count
    wire.writer.write(asked)
    # Others are served meanwhile, and all the answers come when they are wanted.
    assert (await call.get("/version"))["major"]
    for _ in range(count):
        status, body = await wire.answer()
        assert (status, len(body) > 1_000_000) == (200, True)
