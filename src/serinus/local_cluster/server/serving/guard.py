"""Who may call. A cluster whose kubeconfig runs processes must not be open to a web page.

A page in a browser on this machine can send requests to loopback: it names a foreign Host (DNS
rebinding) or an Origin, and both are refused before anything else is looked at.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from serinus import errors

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_OPEN = frozenset({"version", "healthz", "livez", "readyz"})
ANONYMOUS = "system:anonymous"


class Guard:
    """Tell the holder of the token from everyone else."""

    def __init__(self, token: str, user: str) -> None:
        self._expected = f"Bearer {token}".encode()
        self._user = user

    def user(self, segments: tuple[str, ...], headers: Mapping[str, str]) -> str:
        """Return who calls.

        Raises:
            Forbidden: the request comes from a web page, or from another machine's name.
            Unauthorized: the token is missing or wrong.
        """
        if "origin" in headers:
            raise _refused("requests of web pages (with an Origin header) are refused")
        if _host(headers.get("host", "")) not in _LOOPBACK:
            raise _refused("requests must name 127.0.0.1, ::1 or localhost as their host")
        # Bytes that are no UTF-8 reach us as surrogates.
        given = headers.get("authorization", "").encode(errors="surrogateescape")
        if hmac.compare_digest(given, self._expected):
            return self._user
        if not given and segments and segments[0] in _OPEN:
            return ANONYMOUS
        raise errors.Unauthorized("Unauthorized", code=401)


def _host(header: str) -> str:
    host, colon, port = header.rpartition(":")
    return (host if colon and port.isdigit() else header).lower()


def _refused(why: str) -> errors.Forbidden:
    return errors.Forbidden(f"forbidden: {why}", code=403, details={})


def too_large(limit: int) -> errors.Invalid:
    """Return the error for a body beyond the limit."""
    return errors.Invalid(f"Request entity too large: limit is {limit}", code=413, details={})
