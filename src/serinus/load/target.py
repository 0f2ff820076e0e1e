"""Where the requests go and from which addresses: the URL, resolved once, and its sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import socket
import ssl
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import msgspec

from serinus.errors import InvalidInput, UsageError
from serinus.load.outcome import ConnectionKind
from serinus.load.plan import LoadPlan

# linux/in.h; Python knows the name from 3.12 on. The port is then chosen at connect, when the
# whole 4-tuple is known, so that one source address serves 28,000 connections to *each* address.
_IP_BIND_ADDRESS_NO_PORT = 24
_SOURCES = tuple(f"127.83.0.{n}" for n in range(1, 65))
_OWN_HEADERS = frozenset({"connection", "content-length", "transfer-encoding"})


class Url(msgspec.Struct, frozen=True):
    """The parts of a URL that a request needs."""

    tls: bool
    host: str
    port: int
    authority: str
    path: str


def parse_url(url: str) -> Url:
    """Take an http or https URL apart.

    Raises:
        InvalidInput: it is not one, or names a user.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna" if "%" not in url else "ascii").decode()
    except ValueError as e:
        raise InvalidInput("URL", [f"{url!r}: {e}"]) from e
    if parts.scheme not in {"http", "https"} or not host:
        example = "http://127.0.0.1:32600/"
        raise InvalidInput("URL", [f"{url!r} is not an http or https URL such as {example}"])
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(
            "URL", ["a user in the URL is not sent; use --header 'Authorization: …'"]
        )
    if port == 0 or not url.isascii() or any(c.isspace() for c in url):
        raise InvalidInput("URL", [f"{url!r}: port 0, spaces and non-ASCII text cannot be sent"])
    tls = parts.scheme == "https"
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port is None else f"{shown}:{port}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(tls, host, port or (443 if tls else 80), authority, path)


class Target:
    """A resolved address, the bytes of a request, and sockets towards it."""

    def __init__(
        self, plan: LoadPlan, url: Url, *, family: socket.AddressFamily, address: tuple[object, ...]
    ) -> None:
        self.url = url
        self.family = family
        self.address = address
        self.is_loopback = ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback
        self.tls = _tls_context(plan) if url.tls else None
        self.has_body = plan.method != "HEAD"
        self._requests = {kind: _request(plan, url, kind) for kind in ConnectionKind}
        self._sources: Iterator[str] | None = None
        if plan.rotate_sources and self.is_loopback and _may_rotate(family):
            self._sources = itertools.cycle(_SOURCES)

    def request(self, kind: ConnectionKind) -> bytes:
        """Return the request as it is sent on that kind of connection."""
        return self._requests[kind]

    def open_socket(self) -> socket.socket:
        """Make a socket, bound to the next source address where these rotate.

        Raises:
            OSError: this process is out of files, or the address is out of ports.
        """
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        try:
            sock.settimeout(0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._sources is not None:
                sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
                sock.bind((next(self._sources), 0))
        except OSError:
            sock.close()
            raise
        return sock


async def resolve(plan: LoadPlan) -> Target:
    """Find the address of the plan's URL; loopback by IPv4 wins, since there sources can rotate.

    Raises:
        UsageError: the name has no address.
    """
    url = parse_url(plan.url)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except OSError as e:
        raise UsageError(f"URL: no address for host {url.host!r}: {e.strerror or e}") from e
    ranked = sorted(found, key=lambda info: not str(info[4][0]).startswith("127."))
    family, _, _, _, address = ranked[0]
    return Target(plan, url, family=socket.AddressFamily(family), address=address)


def _may_rotate(family: socket.AddressFamily) -> bool:
    """Try it: a sandbox may have 127.0.0.1 alone."""
    if sys.platform != "linux" or family != socket.AF_INET:
        return False
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((_SOURCES[0], 0))
        return True
    return False


def _tls_context(plan: LoadPlan) -> ssl.SSLContext:
    if plan.ca_file is not None and not Path(plan.ca_file).is_file():
        raise InvalidInput("load plan", [f"--ca-file: no file {plan.ca_file!r}"])
    try:
        context = ssl.create_default_context(cafile=plan.ca_file)
    except ssl.SSLError as e:
        raise InvalidInput("load plan", [f"--ca-file: {plan.ca_file!r}: {e.reason}"]) from e
    context.set_alpn_protocols(["http/1.1"])
    if not plan.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _request(plan: LoadPlan, url: Url, kind: ConnectionKind) -> bytes:
    named = {name.lower() for name, _ in plan.headers}
    lines = [f"{plan.method} {url.path} HTTP/1.1"]
    if "host" not in named:
        lines.append(f"Host: {url.authority}")
    if "user-agent" not in named:
        lines.append("User-Agent: serinus-load")
    if "accept" not in named:
        lines.append("Accept: */*")
    lines += [
        f"{name}: {value}" for name, value in plan.headers if name.lower() not in _OWN_HEADERS
    ]
    if plan.body or plan.method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(plan.body)}")
    if kind is ConnectionKind.NEW:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + plan.body
