"""Reading HTTP/1.1 requests from a byte stream (RFC 9112); no I/O.

Pods that start many at a time read with it, so it imports the standard library alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import NamedTuple

from serinus import errors

_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_HEAD_MAX = 65_536
_HEADS_MAX = 256
"""How many heads are remembered; those of one client repeat, to the byte."""


class RequestError(errors.DataPlaneError):
    """What the client sent cannot be answered otherwise than by `status`, and then a close."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class Head(NamedTuple):
    """What stands before a body; shared by all requests that begin alike."""

    method: str
    target: str
    is_1_0: bool
    headers: Mapping[str, str]
    """By names in small letters; what was said several times is joined by commas."""
    keep_alive: bool
    expects_continue: bool
    is_chunked: bool
    length: int


class Request:
    """A request and what was kept of its body."""

    __slots__ = ("body", "head", "is_cut", "keep_alive")

    def __init__(self, head: Head) -> None:
        self.head = head
        self.keep_alive = head.keep_alive
        self.body = b""
        self.is_cut = False
        """Whether the body was longer than what is kept, so that nothing is."""


class RequestReader:
    """Cut a stream into requests; a request is handed out when all of its body has come."""

    def __init__(self, *, body_max: int = 0) -> None:
        """Keep bodies of at most `body_max` bytes; what is longer is read and dropped."""
        self._body_max = body_max
        self._buffer = bytearray()
        self._request: Request | None = None
        self._body = bytearray()
        self._body_left = 0
        self._invites = False
        self._after_chunk = self._in_trailers = False

    @property
    def buffered_count(self) -> int:
        """How many bytes are held."""
        return len(self._buffer)

    @property
    def is_within_request(self) -> bool:
        """Whether a part of a request has come, but not all of it."""
        return self._request is not None or bool(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take in what was received."""
        self._buffer += data

    def invites_body(self) -> bool:
        """Tell whether the client waits to be asked for the body of its request; once."""
        invites, self._invites = self._invites, False
        return invites

    def next(self) -> Request | None:
        """Return the next whole request, or None until more was fed.

        Raises:
            RequestError: the stream is not HTTP/1.1, and nothing after this point can be read.
        """
        request = self._request
        if request is None:
            request = self._request = self._begin()
            if request is None:
                return None
        if request.head.is_chunked or self._body_left:
            if not (self._read_chunks() if request.head.is_chunked else self._read_body()):
                return None
            request.body = bytes(self._body)
            self._body.clear()
        self._request = None
        return request

    def _begin(self) -> Request | None:
        buffer = self._buffer
        # A server should ignore empty lines before the request line (RFC 9112, 2.2).
        while buffer.startswith(b"\r\n"):
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n")
        if end > _HEAD_MAX or (end < 0 and len(buffer) > _HEAD_MAX):
            raise RequestError(431, "the head of the request is too large")
        if end < 0:
            return None
        head = _read_head(bytes(buffer[:end]))
        del buffer[: end + 4]
        self._body_left = head.length
        self._after_chunk = self._in_trailers = False
        self._invites = head.expects_continue
        return Request(head)

    def _read_body(self) -> bool:
        """Move what is there of the next `_body_left` bytes from the buffer to the body."""
        taken = min(self._body_left, len(self._buffer))
        self._keep(taken)
        del self._buffer[:taken]
        self._body_left -= taken
        return self._body_left == 0

    def _keep(self, count: int) -> None:
        request = self._request
        if request is None or request.is_cut:
            return
        if len(self._body) + count > self._body_max:
            request.is_cut = True
            self._body.clear()
        else:
            self._body += self._buffer[:count]

    def _read_chunks(self) -> bool:
        while not self._in_trailers:
            if not self._read_body():
                return False
            line = self._line()
            if line is None:
                return False
            if self._after_chunk:
                if line:
                    raise RequestError(400, "a chunk is longer than its size says")
                self._after_chunk = False
            else:
                self._body_left = _chunk_size(line)
                self._after_chunk = self._body_left > 0
                self._in_trailers = self._body_left == 0
        while (line := self._line()) is not None:
            if not line:
                return True
        return False

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _HEAD_MAX:
                raise RequestError(431, "a line is too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


@functools.lru_cache(_HEADS_MAX)
def _read_head(head: bytes) -> Head:
    first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise RequestError(400, "the first line is not METHOD TARGET HTTP/1.1")
    method, target, version = parts
    headers = _fields(lines)
    options = {option.strip() for option in headers.get("connection", "").lower().split(",")}
    is_chunked = "transfer-encoding" in headers
    if is_chunked and headers["transfer-encoding"].lower() != "chunked":
        raise RequestError(501, "the only known transfer encoding is chunked")
    if is_chunked and "content-length" in headers:
        raise RequestError(400, "Content-Length and Transfer-Encoding exclude each other")
    return Head(
        method=method,
        target=target,
        is_1_0=version == "HTTP/1.0",
        headers=headers,
        keep_alive="close" not in options and (version == "HTTP/1.1" or "keep-alive" in options),
        expects_continue=headers.get("expect", "").lower() == "100-continue",
        is_chunked=is_chunked,
        length=_length(headers.get("content-length", "0")),
    )


def _fields(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise RequestError(400, "a header line has no name")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _length(text: str) -> int:
    """Read a length; different ones are how requests are smuggled (RFC 9112, 6.3)."""
    numbers = {number.strip() for number in text.split(",")}
    number = numbers.pop()
    if numbers or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise RequestError(400, "Content-Length is not one number")
    return int(number)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if _CHUNK_SIZE.fullmatch(digits) is None:
        raise RequestError(400, "a chunk does not start with its size")
    return int(digits, 16)
