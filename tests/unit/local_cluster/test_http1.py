from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.local_cluster.http1 import RequestError, RequestReader

STREAM = (
    b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
    b"\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nGET / HTTP"
    b"HEAD /c HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive, Close\r\n\r\n"
    b"POST /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\nhello\r\n005\r\n, you\r\n0\r\nTrailer: 1\r\n\r\n"
    b"GET /e HTTP/1.0\r\n\r\n"
    b"GET /f HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    b"BREW /g HTTP/1.1\r\n\r\n"
)
EXPECTED = [
    ("GET", "/a?b=c", True, b""),
    ("POST", "/b", True, b"GET / HTTP"),
    ("HEAD", "/c", False, b""),
    ("POST", "/d", True, b"hello, you"),
    ("GET", "/e", False, b""),
    ("GET", "/f", True, b""),
    ("BREW", "/g", True, b""),
]


def read_all(reader: RequestReader) -> list[tuple[str, str, bool, bytes]]:
    found = []
    while (request := reader.next()) is not None:
        head = request.head
        found.append((head.method, head.target, request.keep_alive, request.body))
    return found


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_a_stream_is_cut_into_the_same_requests_however_it_arrives(cuts: list[int]) -> None:
    reader, found, before = RequestReader(body_max=10), [], 0
    for cut in [*sorted(cuts), len(STREAM)]:
        reader.feed(STREAM[before:cut])
        found += read_all(reader)
        before = cut
    assert found == EXPECTED
    assert not reader.is_within_request


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nlong\r\n", 400),
        (b"GET /" + b"a" * 70_000, 431),
    ],
)
def test_what_is_not_http_is_refused(stream: bytes, status: int) -> None:
    reader = RequestReader()
    reader.feed(stream)
    with pytest.raises(RequestError) as caught:
        reader.next()
    assert caught.value.status == status


def test_a_body_that_is_waited_for_is_asked_for_once() -> None:
    reader = RequestReader()
    reader.feed(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert reader.next() is None
    assert reader.invites_body()
    assert not reader.invites_body()
    reader.feed(b"ok")
    assert reader.next() is not None


@pytest.mark.parametrize(
    "body", [b"Content-Length: 11\r\n\r\nhello world", b"Transfer-Encoding: chunked\r\n\r\n"]
)
def test_a_body_that_is_too_long_is_dropped_and_what_follows_is_read(body: bytes) -> None:
    reader = RequestReader(body_max=10)
    chunks = b"6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n" if b"chunked" in body else b""
    reader.feed(b"POST /a HTTP/1.1\r\n" + body + chunks + b"GET /b HTTP/1.1\r\n\r\n")
    first, second = reader.next(), reader.next()
    assert first is not None
    assert (first.is_cut, first.body) == (True, b"")
    assert second is not None
    assert (second.is_cut, second.head.target) == (False, "/b")


def test_what_a_header_says_is_found_by_its_name_in_small_letters() -> None:
    reader = RequestReader()
    reader.feed(b"GET / HTTP/1.1\r\nACCEPT:  a \r\naccept: b\r\nX-Name: \xff\r\n\r\n")
    request = reader.next()
    assert request is not None
    assert request.head.headers == {"accept": "a, b", "x-name": "\udcff"}
