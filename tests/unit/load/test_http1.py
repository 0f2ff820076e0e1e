from __future__ import annotations

import pytest

from serinus.load.http1 import Progress, ResponseReader

CODED_AND_SIZED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 1\r\n"
    b"\r\n1\r\na\r\n0\r\nA: b\r\n\r\n"
)


def read(data: bytes, *, has_body: bool = True) -> tuple[Progress, ResponseReader]:
    reader = ResponseReader(has_body=has_body, body_max=1_000)
    return reader.feed(data), reader


@pytest.mark.parametrize(
    "data",
    [
        b"X",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"HTTP/1.1 101 Switch\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSpace : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 9_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 11,
    ],
)
def test_what_is_not_http_1_is_malformed(data: bytes) -> None:
    progress, reader = read(data)
    assert progress is Progress.MALFORMED
    assert reader.problem
    assert reader.end() is Progress.MALFORMED
    assert reader.feed(b"more") is Progress.MALFORMED


@pytest.mark.parametrize(
    ("data", "body", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", b"ab", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab", b"ab", True),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b"", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 1\n\na", b"a", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab", b"ab", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, CLOSE\r\n\r\nab", b"ab", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", b"ab", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", b"ab", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nab", b"ab", True),
        (b"HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\n", b"", True),
        (b"HTTP/1.1 304 Same\r\n\r\n", b"", True),
        (b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", b"a", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", b"a", True),
        (CODED_AND_SIZED, b"a", False),
    ],
)
def test_a_whole_answer_is_read_and_says_whether_its_connection_can_be_used_again(
    data: bytes, body: bytes, reusable: bool
) -> None:
    progress, reader = read(data)
    assert progress is Progress.COMPLETE
    assert bytes(reader.body) == body
    assert reader.reusable is reusable


def test_an_answer_without_a_length_is_whole_when_the_connection_ends() -> None:
    progress, reader = read(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert progress is Progress.MORE
    assert reader.end() is Progress.COMPLETE
    assert bytes(reader.body) == b"abc"
    assert not reader.reusable


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.",
        b"HTTP/1.1 200 OK\r\nA: b\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_a_part_of_an_answer_is_not_whole_when_the_connection_ends(data: bytes) -> None:
    progress, reader = read(data)
    assert progress is Progress.MORE
    assert reader.end() is Progress.MORE
    assert reader.started is bool(data)


def test_the_answer_to_head_ends_with_its_head() -> None:
    progress, reader = read(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", has_body=False)
    assert progress is Progress.COMPLETE
    assert reader.reusable


def test_repeated_and_folded_fields_are_joined() -> None:
    _, reader = read(b"HTTP/1.1 204 N\r\nA: 1\r\na: 2\r\nB: x\r\n  y\r\n\r\n")
    assert reader.headers == {b"a": b"1, 2", b"b": b"x y"}


def test_a_body_beyond_what_is_kept_is_read_and_dropped() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"z" * 5000
    progress, reader = read(data)
    assert progress is Progress.COMPLETE
    assert len(reader.body) == 1_000
    assert reader.reusable
