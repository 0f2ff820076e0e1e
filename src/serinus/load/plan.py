"""What load to make: the plan, checked as a whole before the first request is sent."""

from __future__ import annotations

import functools
import re
from typing import Any, Literal

import msgspec

from serinus.errors import InvalidInput
from serinus.load import http1
from serinus.load.outcome import ConnectionKind

DEFAULT_VERSION_HEADER = "X-Serinus-Version"
UNKNOWN_VERSION = "unknown"
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""RFC 9110, 9.2.2."""

_VERSION_MAX = 128
_RATE_MAX = 1_000_000
_CONNECTIONS_MAX = 20_000
_DURATION_MAX_MS = 7 * 24 * 3600 * 1000
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class VersionSource(msgspec.Struct, frozen=True):
    """Where an answer says which version gave it.

    Attributes:
        kind: header; a field of a JSON body, dots between its levels; or a regular expression on
            the body, of which the first group (else the whole match) is the version.
        expression: the name, path or pattern.
    """

    kind: Literal["header", "json", "regex"] = "header"
    expression: str = DEFAULT_VERSION_HEADER

    @property
    def body_max(self) -> int:
        """How many bytes of a body are needed."""
        return 0 if self.kind == "header" else 1_048_576

    def read(self, response: http1.ResponseReader) -> str:
        """Return the version that `response` names, or `unknown`."""
        if self.kind == "header":
            found = response.headers.get(_header_key(self.expression), b"").decode("latin-1")
        elif self.kind == "json":
            found = _json_field(bytes(response.body), self.expression)
        else:
            match = _pattern(self.expression).search(response.body.decode("utf-8", "replace"))
            found = "" if match is None else (match[1] if match.re.groups else match[0]) or ""
        # The text of a stranger: nothing of it may steer a terminal.
        printable = "".join(c for c in found.strip()[:_VERSION_MAX] if c.isprintable())
        return printable or UNKNOWN_VERSION


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the load client.

    With `rate_per_s` the loop is open: requests start on a timetable, whatever the server does, and
    latency counts from the intended start. Without it the loop is closed: `connections` clients
    each wait for their answer before they ask again.

    Attributes:
        url: http or https.
        kinds: one population of clients for each; rate, connections and `requests_max` are shared
            evenly among them.
        connections: clients of a closed loop; in an open loop the keep-alive connections that are
            held (more are opened while all of them are busy).
        duration_ms: when to stop starting requests; `None` only together with `requests_max`.
        timeout_ms: from the start of a request to the last byte of its answer.
        retry_idle_race: ask once more, on a new connection, what was lost as `closedIdleRace`, as
            most clients do with idempotent methods (RFC 9112, 9.3.1).
        idle_race_window_ms: a reused connection that closes later than this after the request was
            written is `closed` or `reset`: the server had the time to read the request.
        rotate_sources: on Linux, towards loopback, use many addresses of 127/8 so that the
            ephemeral ports of one do not run out.
        record: keep a row for every request, at most `record_max`.
    """

    url: str
    kinds: tuple[ConnectionKind, ...] = (ConnectionKind.NEW,)
    rate_per_s: float | None = None
    connections: int = 20
    duration_ms: int | None = 10_000
    requests_max: int | None = None
    timeout_ms: int = 10_000
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    version_source: VersionSource = VersionSource()
    retry_idle_race: bool = False
    idle_race_window_ms: int = 100
    rotate_sources: bool = True
    verify_tls: bool = True
    ca_file: str | None = None
    record: bool = False
    record_max: int = 2_000_000

    def check(self) -> None:
        """Refuse a plan that cannot be run.

        Raises:
            InvalidInput: with all problems, each naming the option of the command line.
        """
        problems = [*self._bound_problems(), *self._request_problems()]
        if problems:
            raise InvalidInput("load plan", problems)

    def _bound_problems(self) -> list[str]:
        problems = []
        if self.rate_per_s is not None and not 0 < self.rate_per_s <= _RATE_MAX:
            problems.append(f"--rate must be above 0 and at most {_RATE_MAX}: {self.rate_per_s:g}")
        if not 1 <= self.connections <= _CONNECTIONS_MAX:
            problems.append(f"--connections must be 1 to {_CONNECTIONS_MAX}: {self.connections}")
        if self.duration_ms is None and self.requests_max is None:
            problems.append("--duration or --requests must bound the run")
        if self.duration_ms is not None and not 1 <= self.duration_ms <= _DURATION_MAX_MS:
            problems.append("--duration must be above 0 and at most 7 days (168h)")
        if self.requests_max is not None and self.requests_max < 1:
            problems.append(f"--requests must be at least 1: {self.requests_max}")
        if self.timeout_ms < 1:
            problems.append("--timeout must be above 0")
        if not self.kinds or len(set(self.kinds)) != len(self.kinds):
            problems.append("--keep-alive, --new-connections: each kind of connection once")
        return problems

    def _request_problems(self) -> list[str]:
        problems = []
        if _TOKEN.fullmatch(self.method) is None or self.method == "CONNECT":
            problems.append(f"--method is not a method that can be sent here: {self.method!r}")
        for name, value in self.headers:
            if _TOKEN.fullmatch(name) is None or not _is_field_value(value):
                problems.append(f"--header is not `Name: value`: {name!r}")
        source = self.version_source
        if source.kind == "header" and _TOKEN.fullmatch(source.expression) is None:
            problems.append(f"--version-header is not a header name: {source.expression!r}")
        if source.kind == "json" and not all(source.expression.split(".")):
            problems.append(f"--version-json is not a path like app.version: {source.expression!r}")
        if source.kind == "regex":
            try:
                _pattern(source.expression)
            except re.error as e:
                problems.append(f"--version-regex: {e}: {source.expression!r}")
        return problems


def _is_field_value(value: str) -> bool:
    return value.isascii() and not any(c in "\r\n\0" for c in value)


@functools.cache
def _header_key(name: str) -> bytes:
    return name.lower().encode("ascii")


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _json_field(body: bytes, path: str) -> str:
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    for key in path.split("."):
        if not isinstance(found, dict) or key not in found:
            return ""
        found = found[key]
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    return str(found)
