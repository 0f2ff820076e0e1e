from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.local_cluster.images.web.requests import RequestError, RequestReader

STREAM = (
    b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
    b"\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nGET / HTTP"
    b"HEAD /c HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive, Close\r\n\r\n"
    b"POST /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n"
    b"GET /e HTTP/1.0\r\n\r\n"
    b"GET /f HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    b"BREW /g HTTP/1.1\r\n\r\n"
)
EXPECTED = [
    (b"GET", b"/a", True, True),
    (b"POST", b"/b", True, True),
    (b"HEAD", b"/c", False, True),
    (b"POST", b"/d", True, True),
    (b"GET", b"/e", False, True),
    (b"GET", b"/f", True, True),
    (b"BREW", b"/g", True, False),
]


def read_all(reader: RequestReader) -> list[tuple[bytes, bytes, bool, bool]]:
    found = []
    while (request := reader.next()) is not None:
        found.append((request.method, request.path, request.keep_alive, request.supported))
    return found


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_a_stream_is_cut_into_the_same_requests_however_it_arrives(cuts: list[int]) -> None:
    reader, found, before = RequestReader(), [], 0
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
    assert reader.begun() is not None
    assert reader.begun() is None
    reader.feed(b"ok")
    assert reader.next() is not None
