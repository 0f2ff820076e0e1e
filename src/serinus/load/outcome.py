"""What can become of one request, and which error number means which.

Every request ends in exactly one `Outcome`. Nothing here does I/O.
"""

from __future__ import annotations

import enum
import errno


class ConnectionKind(enum.Enum):
    """How a population of clients uses its connections."""

    # A member is one object: its address says as much as the hash of its name, for less.
    __hash__ = object.__hash__

    NEW = "newConnections"
    """One connection for each request; the request says `Connection: close`."""
    KEEP_ALIVE = "keepAlive"
    """Connections are used again for as long as the server lets them."""


class Outcome(enum.Enum):
    """What became of one request; the value is its name in the JSON report."""

    __hash__ = object.__hash__

    ANSWERED = "answered"
    """A whole answer with a status below 400."""
    HTTP_ERROR = "httpError"
    """A whole answer with status 400 or higher."""
    REFUSED = "refused"
    """Nobody listens at the address."""
    UNREACHABLE = "unreachable"
    """No route to the address."""
    TLS_FAILED = "tlsFailed"
    """The TLS handshake failed, or the certificate is not trusted."""
    RESET = "reset"
    """The connection was reset before the answer was whole."""
    TIMED_OUT = "timedOut"
    """No whole answer within the timeout."""
    MALFORMED = "malformed"
    """What came back is not HTTP/1.x."""
    TRUNCATED = "truncated"
    """The server closed in the middle of its answer."""
    CLOSED = "closed"
    """The server closed without a byte of an answer."""
    CLOSED_IDLE_RACE = "closedIdleRace"
    """The server closed a connection that had been idle while the request was on its way."""
    NOT_SENT = "notSent"
    """This client ran out of ports, files or time: the run is invalid."""
    ABANDONED = "abandoned"
    """The run was stopped while the request was under way; neither answered nor failed."""


OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)

NOT_FAILED = frozenset({Outcome.ANSWERED, Outcome.ABANDONED})

# bind(2) and connect(2): EADDRNOTAVAIL is "all ephemeral ports are in use"; the others are limits
# of this process or this machine, and say nothing about the server.
_OWN_LIMITS = frozenset(
    {errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
)
_RESETS = frozenset({errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ENOTCONN})


def of_error(number: int | None) -> Outcome:
    """Return the outcome that an error number of a socket call stands for."""
    if number in _OWN_LIMITS:
        return Outcome.NOT_SENT
    if number == errno.ECONNREFUSED:
        return Outcome.REFUSED
    if number in _RESETS:
        return Outcome.RESET
    if number == errno.ETIMEDOUT:
        return Outcome.TIMED_OUT
    return Outcome.UNREACHABLE
