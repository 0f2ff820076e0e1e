"""The web server as the node starts it: a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serinus import process

MODULE = "serinus.local_cluster.images.web"


class Web:
    """A running web server and its output."""

    def __init__(self, child: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.child, self.port, self.log = child, port, log

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def term(self) -> None:
        self.child.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        return await asyncio.wait_for(self.child.wait(), 20)

    async def says(self, text: str) -> None:
        async with asyncio.timeout(10):
            while True:
                if text in self.log.read_text():
                    return
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def web(tmp_path: Path, *, listens: bool = True, **options: str) -> AsyncIterator[Web]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        "PATH": os.environ["PATH"],
        "SERINUS_IMAGE": "nginx:1.8.0",
        "SERINUS_VERSION": "1.8.0",
        "SERINUS_POD_NAME": "shop-7d9f",
        "SERINUS_LISTEN": f"127.0.0.1:{port}",
        **{f"SERINUS_WEB_{name}": value for name, value in options.items()},
    }
    log = tmp_path / "web.log"
    with log.open("wb") as file:
        child = await process.spawn(
            [sys.executable, "-m", MODULE], env=env, stdout=file, stderr=file, die_with_parent=True
        )
    server = Web(child, port, log)
    try:
        if listens:
            await server.says("listens on")
        yield server
    finally:
        await process.stop(child, grace_ms=0)


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in fields.items()}
    return (
        int(head[0].split()[1]),
        headers,
        await reader.readexactly(int(headers["content-length"])),
    )


GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"


async def test_it_says_which_image_version_and_pod_answered(tmp_path: Path) -> None:
    async with web(tmp_path) as server:
        reader, writer = await server.connect()
        writer.write(GET)
        status, headers, body = await answer(reader)
        assert status == 200
        assert json.loads(body) == {"image": "nginx:1.8.0", "version": "1.8.0", "pod": "shop-7d9f"}
        assert headers["x-serinus-image"] == "nginx:1.8.0"
        assert headers["x-serinus-version"] == "1.8.0"
        assert headers["x-serinus-pod"] == "shop-7d9f"
        assert headers["connection"] == "keep-alive"
        writer.close()


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async with web(tmp_path, DELAY_MS="20") as server:
        reader, writer = await server.connect()
        post = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
        brew = b"BREW / HTTP/1.1\r\n\r\n"
        writer.write(GET + post + brew + b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
        answers = [await answer(reader) for _ in range(4)]
        assert [status for status, _, _ in answers] == [200, 200, 405, 200]
        assert answers[2][1]["allow"] == "GET, HEAD, POST"
        assert json.loads(answers[3][2]) == {"status": "ok"}
        assert answers[3][1]["connection"] == "close"
        assert await reader.read() == b""
        writer.close()


async def test_head_has_no_body_and_a_bad_request_closes(tmp_path: Path) -> None:
    async with web(tmp_path) as server:
        reader, writer = await server.connect()
        writer.write(b"HEAD / HTTP/1.1\r\n\r\n" + b"nonsense\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: " in head
        status, headers, _ = await answer(reader)
        assert (status, headers["connection"]) == (400, "close")
        assert await reader.read() == b""
        writer.close()


async def test_a_large_upload_is_invited_and_answered(tmp_path: Path) -> None:
    async with web(tmp_path) as server:
        reader, writer = await server.connect()
        writer.write(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5000000\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(bytes(5_000_000))
        assert (await answer(reader))[0] == 200
        writer.close()


async def test_a_client_that_half_closes_still_gets_its_delayed_answer(tmp_path: Path) -> None:
    async with web(tmp_path, DELAY_MS="50") as server:
        reader, writer = await server.connect()
        writer.write(GET)
        writer.write_eof()
        assert (await answer(reader))[0] == 200
        assert await reader.read() == b""
        writer.close()


async def test_status_and_error_share_are_as_asked_and_health_stays_good(tmp_path: Path) -> None:
    async with web(tmp_path, STATUS="418", ERROR_PERCENT="50") as server:
        reader, writer = await server.connect()
        count = 400
        writer.write(GET * count)
        statuses = [(await answer(reader))[0] for _ in range(count)]
        assert set(statuses) == {418, 500}
        z = (statuses.count(500) - count / 2) / (count * 0.25) ** 0.5
        assert abs(z) < 4.5, z
        writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert (await answer(reader))[0] == 200
        writer.close()


async def test_after_term_it_answers_on_for_its_linger_and_closes_what_it_answers(
    tmp_path: Path,
) -> None:
    async with web(tmp_path, LINGER_MS="600") as server:
        idle_reader, idle_writer = await server.connect()
        used_reader, used_writer = await server.connect()
        for reader, writer in ((idle_reader, idle_writer), (used_reader, used_writer)):
            writer.write(GET)
            assert (await answer(reader))[1]["connection"] == "keep-alive"
        term_at = time.monotonic()
        server.term()
        await server.says("TERM:")
        used_writer.write(GET)
        assert (await answer(used_reader))[1]["connection"] == "close"
        assert await used_reader.read() == b""
        used_writer.close()
        new_reader, new_writer = await server.connect()
        new_writer.write(GET)
        status, headers, _ = await answer(new_reader)
        assert (status, headers["connection"]) == (200, "close")
        new_writer.close()
        # The idle one is closed when the linger is over, not before.
        assert await idle_reader.read() == b""
        assert time.monotonic() - term_at >= 0.6
        idle_writer.close()
        assert await server.ended() == 0
        assert "stopped after 4 answers" in server.log.read_text()


async def test_at_term_it_tells_how_many_requests_are_in_flight_and_answers_them_all(
    tmp_path: Path,
) -> None:
    async with web(tmp_path, DELAY_MS="900", LINGER_MS="100") as server:
        pairs = [await server.connect() for _ in range(12)]
        for _, writer in pairs[:11]:
            writer.write(GET)
        pairs[11][1].write(b"GET / HT")
        probe_reader, probe_writer = await server.connect()
        # An answer on a later connection shows that the earlier ones were read.
        probe_writer.write(b"nonsense\r\n\r\n")
        assert (await answer(probe_reader))[0] == 400
        probe_writer.close()
        server.term()
        await server.says("TERM: 12 requests in flight")
        for reader, _ in pairs[:11]:
            status, headers, _ = await answer(reader)
            assert (status, headers["connection"]) == (200, "close")
        pairs[11][1].write(b"TP/1.1\r\n\r\n")
        assert (await answer(pairs[11][0]))[0] == 200
        for _, writer in pairs:
            writer.close()
        assert await server.ended() == 0


async def test_a_rude_one_dies_of_term_at_once(tmp_path: Path) -> None:
    async with web(tmp_path, RUDE="1", DELAY_MS="5000") as server:
        reader, writer = await server.connect()
        writer.write(GET)
        server.term()
        assert await server.ended() == -signal.SIGTERM
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()


async def test_a_start_delay_keeps_the_port_closed_and_term_ends_it(tmp_path: Path) -> None:
    async with web(tmp_path, listens=False, START_DELAY_MS="60000") as server:
        with pytest.raises(ConnectionRefusedError):
            await server.connect()
        # TERM before Python has set up its handler ends the process as well.
        server.term()
        assert await server.ended() in {0, -signal.SIGTERM}


async def test_a_wrong_option_ends_it_with_the_options_name(tmp_path: Path) -> None:
    async with web(tmp_path, listens=False, DELAY_MS="soon") as server:
        assert await server.ended() == 2
        assert "SERINUS_WEB_DELAY_MS=soon" in server.log.read_text()


async def test_an_address_that_is_taken_ends_it_with_the_address(tmp_path: Path) -> None:
    async with web(tmp_path) as first, web(tmp_path, listens=False) as second:
        del second
        env = {"SERINUS_LISTEN": f"127.0.0.1:{first.port}"}
        child = await process.spawn(
            [sys.executable, "-m", MODULE], env=env, stderr=asyncio.subprocess.PIPE
        )
        _, told = await asyncio.wait_for(child.communicate(), 20)
        assert child.returncode == 1
        assert f"cannot listen on 127.0.0.1:{first.port}" in told.decode()
