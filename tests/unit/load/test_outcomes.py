"""Each way in which a server can treat a request is counted as what it is, exactly once."""

from __future__ import annotations

import asyncio
import socket

import pytest

from serinus.load.outcome import ConnectionKind, Outcome
from serinus.load.plan import VersionSource
from tests.unit.load.loading import load, outcome_of
from tests.unit.load.servers import Visit, answer, polite, saying, serving

KEEP_ALIVE = (ConnectionKind.KEEP_ALIVE,)
KINDS = pytest.mark.parametrize("kind", list(ConnectionKind))


@KINDS
async def test_whole_answers_are_counted_by_version(kind: ConnectionKind) -> None:
    report = await outcome_of(polite("v7"), kinds=(kind,))
    assert report.count(Outcome.ANSWERED) == 12
    assert report.answered_by("v7") == 12
    assert report.failed_count == 0
    assert report.valid


async def test_a_new_connection_is_made_for_every_request() -> None:
    async with serving(polite()) as server:
        report = await load(server.url, kinds=(ConnectionKind.NEW,))
        assert server.visits == 12
    assert report.population(ConnectionKind.NEW).connections_count == 12


async def test_keep_alive_uses_as_many_connections_as_there_are_clients() -> None:
    async with serving(polite()) as server:
        report = await load(server.url, kinds=KEEP_ALIVE, requests_max=60)
        assert server.visits == 3
    assert report.population(ConnectionKind.KEEP_ALIVE).connections_count == 3


async def test_a_closed_port_refuses() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        report = await load(f"http://127.0.0.1:{sock.getsockname()[1]}/")
    assert report.count(Outcome.REFUSED) == 12
    assert report.valid


@KINDS
async def test_a_reset_before_the_answer_is_a_reset(kind: ConnectionKind) -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        visit.reset()

    report = await outcome_of(handle, kinds=(kind,))
    assert report.count(Outcome.RESET) == 12


async def test_a_reset_in_the_middle_of_the_answer_is_a_reset() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.say(answer(body=b"x" * 50)[:-10])
        await asyncio.sleep(0.05)  # so that the bytes are read before the reset throws them away
        visit.reset()

    report = await outcome_of(handle, requests_max=3)
    assert report.count(Outcome.RESET) == 3


async def test_silence_times_out() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.request()

    report = await outcome_of(handle, requests_max=3, timeout_ms=150)
    assert report.count(Outcome.TIMED_OUT) == 3


async def test_an_answer_that_never_ends_times_out() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.say(answer(body=b"x" * 50)[:-10])
        await visit.request()

    report = await outcome_of(handle, requests_max=3, timeout_ms=150)
    assert report.count(Outcome.TIMED_OUT) == 3


async def test_http_errors_are_counted_by_status_and_version() -> None:
    data = b"HTTP/1.1 503 Busy\r\nX-Serinus-Version: v2\r\nContent-Length: 0\r\n\r\n"
    report = await outcome_of(saying(data))
    assert report.count(Outcome.HTTP_ERROR) == 12
    assert report.statuses == {"503": 12}
    assert [(v.version, v.http_error_count) for v in report.versions] == [("v2", 12)]
    assert report.failed_count == 12


async def test_a_keep_alive_client_goes_on_after_an_http_error() -> None:
    async def handle(visit: Visit) -> None:
        while await visit.request():
            await visit.say(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")

    async with serving(handle) as server:
        report = await load(server.url, kinds=KEEP_ALIVE)
        assert server.visits == 3
    assert report.count(Outcome.HTTP_ERROR) == 12


async def test_what_is_not_http_is_malformed_at_once() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.say(b"SSH-2.0-OpenSSH_9.6\r\n")
        await visit.request()

    report = await outcome_of(handle)
    assert report.count(Outcome.MALFORMED) == 12


@KINDS
async def test_a_close_without_an_answer_is_closed(kind: ConnectionKind) -> None:
    report = await outcome_of(saying(b""), kinds=(kind,))
    assert report.count(Outcome.CLOSED) == 12


async def test_a_close_in_the_middle_of_the_answer_is_truncated() -> None:
    report = await outcome_of(saying(answer(body=b"x" * 50)[:-10]))
    assert report.count(Outcome.TRUNCATED) == 12


async def test_a_body_that_ends_with_the_connection_is_whole() -> None:
    report = await outcome_of(
        saying(b"HTTP/1.0 200 OK\r\nX-Serinus-Version: old\r\n\r\nall of it"), kinds=KEEP_ALIVE
    )
    assert report.answered_by("old") == 12


async def test_chunks_split_anywhere_are_put_together() -> None:
    data = (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"app"\r\n'
        b'e;x=y\r\n:{"version":"v\r\n4\r\n9"}}\r\n0\r\nTrailer: t\r\n\r\n'
    )

    async def handle(visit: Visit) -> None:
        while await visit.request():
            for n in range(len(data)):
                await visit.say(data[n : n + 1])
                await asyncio.sleep(0)

    source = VersionSource("json", "app.version")
    async with serving(handle) as server:
        report = await load(server.url, kinds=KEEP_ALIVE, version_source=source)
        assert server.visits == 3
    assert report.answered_by("v9") == 12


async def test_the_version_may_come_from_a_pattern_in_the_body() -> None:
    handler = saying(answer(body=b"<p>I am nginx/1.8.0</p>"))
    report = await outcome_of(handler, version_source=VersionSource("regex", r"nginx/([\d.]+)"))
    assert report.answered_by("1.8.0") == 12


async def test_an_answer_without_a_version_is_answered_by_unknown() -> None:
    report = await outcome_of(saying(b"HTTP/1.1 204 No Content\r\n\r\n"))
    assert report.answered_by("unknown") == 12


async def test_head_answers_have_no_body_whatever_their_length_says() -> None:
    async def handle(visit: Visit) -> None:
        while await visit.request():
            await visit.say(answer(body=b"").replace(b"Length: 0", b"Length: 500"))

    report = await outcome_of(handle, method="HEAD", kinds=KEEP_ALIVE)
    assert report.answered_count == 12
    assert report.population(ConnectionKind.KEEP_ALIVE).connections_count == 3


async def test_a_body_is_sent_with_its_length() -> None:
    seen = []

    async def handle(visit: Visit) -> None:
        while head := await visit.request():
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            seen.append(await visit.body(length))
            await visit.say(answer())

    # More than a socket buffer holds, so that the request is written in pieces.
    body = b"b" * 8_000_000
    report = await outcome_of(handle, method="POST", body=body, requests_max=2, connections=1)
    assert report.answered_count == 2
    assert seen == [body, body]


async def test_an_early_answer_to_a_large_body_is_taken() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await visit.body(1)

    report = await outcome_of(
        handle, method="POST", body=b"b" * 8_000_000, requests_max=2, connections=1
    )
    assert report.statuses == {"413": 2}
