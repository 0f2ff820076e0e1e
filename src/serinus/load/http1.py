"""Incremental reader of one HTTP/1.x response (RFC 9112); does no I/O.

It keeps apart what a library would fold into one error: nothing came, a part came, or what came is
not HTTP. The result does not depend on how the bytes were cut into pieces.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Callable

import msgspec

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?")
_FIELD_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
_PREFIX = b"HTTP/1."
_HEAD_MAX = 65_536
_LINE_MAX = 8_192
_INTERIM_MAX = 10
_HEADS_MAX = 64
"""How many heads are remembered: the answers of a run differ, if at all, in their date."""


class Progress(enum.Enum):
    """How far the response has come."""

    MORE = "more"
    COMPLETE = "complete"
    MALFORMED = "malformed"


class ResponseReader:
    """Read one response from pieces of bytes.

    Args:
        has_body: false for the answer to a HEAD request.
        body_max: how many bytes of the body to keep; the rest is counted and dropped.
    """

    __slots__ = (
        "_buffer",
        "_done",
        "_interim_count",
        "_keep_alive",
        "_rest",
        "_scanned",
        "_step",
        "body",
        "body_max",
        "has_body",
        "headers",
        "problem",
        "started",
        "status",
    )

    def __init__(self, *, has_body: bool = True, body_max: int = 0) -> None:
        self.has_body = has_body
        self.body_max = body_max
        self.started = False
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = bytearray()
        self.problem = ""
        self._buffer = bytearray()
        self._step: Callable[[], bool] = self._head
        self._scanned = 0
        self._rest = 0
        self._done = False
        self._keep_alive = False
        self._interim_count = 0

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request (RFC 9112, 9.3)."""
        return self._done and self._keep_alive and not self._buffer

    def feed(self, data: bytes) -> Progress:
        """Take the next bytes of the connection."""
        if self.problem:
            return Progress.MALFORMED
        self.started = self.started or bool(data)
        self._buffer += data
        try:
            while not self._done and self._step():
                pass
        except ValueError as e:
            self.problem = str(e)
            return Progress.MALFORMED
        return Progress.COMPLETE if self._done else Progress.MORE

    def end(self) -> Progress:
        """Take the end of the connection: complete only where the end is the delimiter."""
        if self.problem:
            return Progress.MALFORMED
        if self._step == self._until_close:
            self._done = True
        return Progress.COMPLETE if self._done else Progress.MORE

    def _head(self) -> bool:
        buffer = self._buffer
        # Garbage without an empty line would otherwise look like an answer that is still coming.
        if not _PREFIX.startswith(buffer[: len(_PREFIX)]):
            raise ValueError("the answer does not begin with HTTP/1.")
        end = _HEAD_END.search(buffer, max(0, self._scanned - 3))
        if end is None:
            self._scanned = len(buffer)
            if len(buffer) > _HEAD_MAX:
                raise ValueError(f"the head of the answer is longer than {_HEAD_MAX} bytes")
            return False
        head = _read_head(bytes(buffer[: end.start()]))
        del buffer[: end.end()]
        self._scanned = 0
        self.status = head.status
        self.headers = head.headers
        if self.status < 200:
            self._interim()
        else:
            self._frame(head)
        return True

    def _interim(self) -> None:
        """Pass over 100 and 103; 101 answers a question that was never asked."""
        self._interim_count += 1
        if self.status == 101 or self._interim_count > _INTERIM_MAX:
            raise ValueError(f"unasked interim answer {self.status}")

    def _frame(self, head: _Head) -> None:
        """Find how the body ends (RFC 9112, 6.3)."""
        self._keep_alive = head.keep_alive
        if not self.has_body or self.status in {204, 304}:
            self._done = True
        elif head.coding is not None:
            # Both headers, or a coding in HTTP/1.0: framing that is not to be trusted twice.
            self._keep_alive = head.keep_alive and head.length is None and head.minor == 1
            chunked = _tokens(head.coding)[-1:] == [b"chunked"]
            self._step = self._chunk_size if chunked else self._until_close
        elif head.length is not None:
            self._rest = _content_length(head.length)
            self._step = self._sized
        else:
            self._step = self._until_close
        if self._step == self._until_close:
            self._keep_alive = False

    def _sized(self) -> bool:
        self._take()
        self._done = self._rest == 0
        return self._done

    def _until_close(self) -> bool:
        self._rest = len(self._buffer)
        self._take()
        return False

    def _take(self) -> None:
        """Move what is there of the next `_rest` bytes from the buffer to the body."""
        count = min(self._rest, len(self._buffer))
        room = min(count, self.body_max - len(self.body))
        if room > 0:
            self.body += self._buffer[:room]
        del self._buffer[:count]
        self._rest -= count

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n")
        if end > _LINE_MAX or (end < 0 and len(self._buffer) > _LINE_MAX):
            raise ValueError(f"a line of the chunked body is longer than {_LINE_MAX} bytes")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a chunk size: {line[:60]!r}")
        self._rest = int(match[1], 16)
        self._step = self._chunk_data if self._rest else self._trailer
        return True

    def _chunk_data(self) -> bool:
        self._take()
        if self._rest:
            return False
        line = self._line()
        if line is None:
            if len(self._buffer) > 2:
                raise ValueError("a chunk is longer than its size says")
            return False
        if line:
            raise ValueError("a chunk is longer than its size says")
        self._step = self._chunk_size
        return True

    def _trailer(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line == b"":
            self._done = True
        else:
            _fields([line])
        return True


class _Head(msgspec.Struct, frozen=True):
    """What a head says; `headers` is shared by all answers with this head: do not change it."""

    minor: int
    status: int
    headers: dict[bytes, bytes]
    keep_alive: bool
    coding: bytes | None
    length: bytes | None


@functools.lru_cache(_HEADS_MAX)
def _read_head(head: bytes) -> _Head:
    first, *lines = head.split(b"\n")
    first = first.rstrip(b"\r")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise ValueError(f"not a status line: {first[:60]!r}")
    headers = _fields(lines)
    minor = int(match[1])
    options = _tokens(headers.get(b"connection", b""))
    return _Head(
        minor=minor,
        status=int(match[2]),
        headers=headers,
        keep_alive=b"close" not in options and (minor == 1 or b"keep-alive" in options),
        coding=headers.get(b"transfer-encoding"),
        length=headers.get(b"content-length"),
    )


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    """Return the header fields with small names; repeated ones are joined by a comma."""
    fields: dict[bytes, bytes] = {}
    last = b""
    for line in lines:
        if line[:1] in {b" ", b"\t"} and last:
            # obs-fold: a user agent reads it as one space (RFC 9112, 5.2).
            fields[last] += b" " + line.strip()
            continue
        name, colon, value = line.partition(b":")
        if not colon or _FIELD_NAME.fullmatch(name) is None:
            raise ValueError(f"not a header field: {line[:60]!r}")
        last = name.lower()
        value = value.strip()
        fields[last] = fields[last] + b", " + value if last in fields else value
    return fields


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip().lower() for token in value.split(b",") if token.strip()]


def _content_length(value: bytes) -> int:
    """Read the length; a list of equal numbers counts as one (RFC 9112, 6.3)."""
    if value.isdigit() and len(value) <= 18:
        return int(value)
    numbers = {number.strip() for number in value.split(b",")}
    number = numbers.pop()
    if numbers or not number.isdigit() or len(number) > 18:
        raise ValueError(f"not a content length: {value[:60]!r}")
    return int(number)
