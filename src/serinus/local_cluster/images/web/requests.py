"""Reading HTTP/1.1 requests from a byte stream (RFC 9112): no I/O, bodies are read and dropped."""

from __future__ import annotations

from serinus import errors

_HEAD_MAX = 65_536
_METHODS_WITH_ANSWER = frozenset({b"GET", b"HEAD", b"POST"})


class RequestError(errors.DataPlaneError):
    """What the client sent cannot be answered otherwise than by `status`, and then a close."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class Request:
    """The parts of a request that an answer depends on."""

    __slots__ = ("expects_continue", "keep_alive", "method", "path", "supported")

    def __init__(self, method: bytes, target: bytes, version: bytes) -> None:
        self.method = method
        self.path = target.partition(b"?")[0]
        self.supported = method in _METHODS_WITH_ANSWER
        self.keep_alive = version == b"HTTP/1.1"
        self.expects_continue = False


class RequestReader:
    """Cut a stream into requests; a request is handed out when all of its body has come."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._request: Request | None = None
        self._body_left = 0
        self._chunked = False
        self._in_trailers = False

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

    def begun(self) -> Request | None:
        """Return the request whose body is awaited and that wants to be asked for it; once."""
        if self._request is None or not self._request.expects_continue:
            return None
        self._request.expects_continue = False
        return self._request

    def next(self) -> Request | None:
        """Return the next whole request, or None until more was fed.

        Raises:
            RequestError: the stream is not HTTP/1.1, and nothing after this point can be read.
        """
        if self._request is None and not self._read_head():
            return None
        if not (self._skip_chunks() if self._chunked else self._skip_body()):
            return None
        request, self._request = self._request, None
        return request

    def _read_head(self) -> bool:
        # A server should ignore empty lines before the request line (RFC 9112, 2.2).
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n")
        if end > _HEAD_MAX or (end < 0 and len(self._buffer) > _HEAD_MAX):
            raise RequestError(431, "the head of the request is too large")
        if end < 0:
            return False
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        lines = head.split(b"\r\n")
        parts = lines[0].split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            raise RequestError(400, "the first line is not METHOD TARGET HTTP/1.1")
        self._request = Request(*parts)
        self._body_left, self._chunked, self._in_trailers = 0, False, False
        self._read_fields(self._request, lines[1:])
        return True

    def _read_fields(self, request: Request, lines: list[bytes]) -> None:
        length: int | None = None
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not name or name != name.strip():
                raise RequestError(400, "a header line has no name")
            name, value = name.lower(), value.strip().lower()
            if name == b"connection":
                options = {o.strip() for o in value.split(b",")}
                request.keep_alive = b"close" not in options and (
                    request.keep_alive or b"keep-alive" in options
                )
            elif name == b"content-length":
                # Two different lengths are how requests are smuggled (RFC 9112, 6.3).
                if not value.isdigit() or (length is not None and length != int(value)):
                    raise RequestError(400, "Content-Length is not one number")
                length = int(value)
            elif name == b"transfer-encoding":
                if value != b"chunked":
                    raise RequestError(501, "the only known transfer encoding is chunked")
                self._chunked = True
            elif name == b"expect" and value == b"100-continue":
                request.expects_continue = True
        if self._chunked and length is not None:
            raise RequestError(400, "Content-Length and Transfer-Encoding exclude each other")
        self._body_left = length or 0

    def _skip_body(self) -> bool:
        taken = min(self._body_left, len(self._buffer))
        del self._buffer[:taken]
        self._body_left -= taken
        return self._body_left == 0

    def _skip_chunks(self) -> bool:
        while not self._in_trailers:
            if not self._skip_body():
                return False
            line = self._line()
            if line is None:
                return False
            try:
                size = int(line.partition(b";")[0].strip(), 16)
            except ValueError as e:
                raise RequestError(400, "a chunk does not start with its size") from e
            if size < 0:
                raise RequestError(400, "a chunk does not start with its size")
            self._in_trailers = size == 0
            # The chunk is followed by an empty line that is not counted.
            self._body_left = size + 2 if size else 0
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
