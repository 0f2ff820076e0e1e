"""One TCP (or TLS) connection and the request that is on it.

Sockets by hand, since a library folds together what is counted apart here. The rules are those of a
careful client (RFC 9112, 9.3 and 9.5): an answer with `Connection: close` retires its connection; a
connection that the server closed while idle is looked at before it is written to, and costs no
request. What remains is the race of a close and a write that cross: on a *reused* connection,
without a byte of an answer and within the plan's window, it is `closedIdleRace`. It counts as
failed, because the user of a client that does not ask again saw it fail; most clients do ask again
for idempotent methods, and so does a plan with `retry_idle_race`.
"""

from __future__ import annotations

import asyncio
import enum
import errno
import os
import select
import socket
import ssl
import sys
import time
from typing import Protocol

from serinus.load.http1 import Progress, ResponseReader
from serinus.load.outcome import ConnectionKind, Outcome, of_error
from serinus.load.target import Target

# More than a TLS record holds (16 KiB), so that none stays behind, unseen by the event loop.
_READ_SIZE = 65_536
_IN_PROGRESS = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK})


class Exchange:
    """One planned request on its way to its one outcome; times are monotonic nanoseconds."""

    __slots__ = ("intended_ns", "port", "started_ns")

    def __init__(self, intended_ns: int, started_ns: int) -> None:
        self.intended_ns = intended_ns
        self.started_ns = started_ns
        self.port = 0


class Owner(Protocol):
    """Who opened a connection and hears what comes of it."""

    kind: ConnectionKind
    idle_race_window_ns: int
    body_max: int

    def finished(
        self, connection: Connection, outcome: Outcome, response: ResponseReader, detail: str
    ) -> None:
        """Take the outcome of the exchange that was on `connection`."""
        ...

    def closed_idle(self, connection: Connection) -> None:
        """Take notice that the server closed `connection` while no request was on it."""
        ...


class State(enum.Enum):
    """What a connection is doing."""

    CONNECTING = "connecting"
    HANDSHAKING = "handshaking"
    SENDING = "sending"
    RECEIVING = "receiving"
    IDLE = "idle"
    CLOSED = "closed"


class Connection:
    """Carry one exchange at a time; after its outcome the state is `IDLE` or `CLOSED`."""

    __slots__ = (
        "_loop",
        "_out",
        "_owner",
        "_readable",
        "_reading",
        "_response",
        "_sock",
        "_target",
        "_writing",
        "_wrote_ns",
        "exchange",
        "port",
        "reused",
        "state",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, target: Target, owner: Owner) -> None:
        self._loop = loop
        self._target = target
        self._owner = owner
        self._sock: socket.socket | ssl.SSLSocket | None = None
        self._readable: select.poll | None = None
        self._response = ResponseReader()
        self._out: bytes | memoryview = b""
        self._wrote_ns = 0
        self._reading = self._writing = False
        self.exchange: Exchange | None = None
        self.port = 0
        self.reused = False
        self.state = State.CLOSED

    def open(self, exchange: Exchange) -> None:
        """Connect and send; the outcome may come before this returns."""
        self._begin(exchange)
        self.state = State.CONNECTING
        try:
            self._sock = sock = self._target.open_socket()
            number = sock.connect_ex(self._target.address)
        except OSError as e:
            self._finish(of_error(e.errno), _text(e.errno))
            return
        if number not in _IN_PROGRESS:
            self._finish(of_error(number), _text(number))
        elif sys.platform == "linux" and self._target.tls is None and self._target.is_loopback:
            # The handshake over loopback is done by now, and a write says so; where it is not, the
            # write would block (tcp_sendmsg waits for the connection). Saves a turn of the loop.
            self._wrote_ns = time.monotonic_ns()
            self._flush()
        else:
            self._await_writable()

    def send(self, exchange: Exchange) -> bool:
        """Send on this idle connection; return false, with nothing written, if it is closed."""
        if self.state is not State.IDLE or not self._is_still_open():
            return False
        self._begin(exchange)
        self.reused = True
        exchange.port = self.port
        self.state = State.SENDING
        self._wrote_ns = time.monotonic_ns()
        self._flush()
        return True

    def close(self) -> None:
        """Close; nothing is reported."""
        self.state = State.CLOSED
        sock, self._sock = self._sock, None
        if sock is None:
            return
        if self._reading:
            self._loop.remove_reader(sock)
        if self._writing:
            self._loop.remove_writer(sock)
        self._reading = self._writing = False
        sock.close()

    def give_up(self, outcome: Outcome, detail: str) -> None:
        """End the exchange from this side and close."""
        self._finish(outcome, detail)

    def _begin(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._out = self._target.request(self._owner.kind)
        self._response = ResponseReader(
            has_body=self._target.has_body, body_max=self._owner.body_max
        )

    def _is_still_open(self) -> bool:
        """Look before writing: an idle connection has nothing to read."""
        sock = self._sock
        if sock is None:
            return False
        # To be told that there is nothing costs less than the exception of a read that finds it.
        if self._readable is None:
            self._readable = select.poll()
            self._readable.register(sock, select.POLLIN)
        if not self._readable.poll(0):
            return True
        try:
            sock.recv(_READ_SIZE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            pass
        self.close()
        return False

    def _finish(self, outcome: Outcome, detail: str = "") -> None:
        if (
            self._response.reusable
            and self._owner.kind is ConnectionKind.KEEP_ALIVE
            and (outcome is Outcome.ANSWERED or outcome is Outcome.HTTP_ERROR)
        ):
            self.state = State.IDLE
        else:
            self.close()
        self._owner.finished(self, outcome, self._response, detail)

    # Writing

    def _await_writable(self) -> None:
        if not self._writing and self._sock is not None:
            self._writing = True
            self._loop.add_writer(self._sock, self._on_writable)

    def _stop_writing(self) -> None:
        if self._writing and self._sock is not None:
            self._loop.remove_writer(self._sock)
        self._writing = False

    def _await_readable(self) -> None:
        if not self._reading and self._sock is not None:
            self._reading = True
            self._loop.add_reader(self._sock, self._on_readable)

    def _on_writable(self) -> None:
        if self.state is State.CONNECTING:
            self._on_connected()
        elif self.state is State.HANDSHAKING:
            self._handshake()
        elif self.state is State.SENDING:
            self._flush()

    def _on_connected(self) -> None:
        sock = self._sock
        if sock is None:
            return
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._finish(of_error(number), _text(number))
            return
        self._stop_writing()
        if self._target.tls is None:
            self._wrote_ns = time.monotonic_ns()
            self._flush()
            return
        self.state = State.HANDSHAKING
        try:
            self._sock = self._target.tls.wrap_socket(
                sock, server_hostname=self._target.url.host, do_handshake_on_connect=False
            )
        except OSError as e:
            self._finish(Outcome.TLS_FAILED, str(e))
            return
        self._handshake()

    def _handshake(self) -> None:
        sock = self._sock
        if not isinstance(sock, ssl.SSLSocket):
            return
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._stop_writing()
            self._await_readable()
        except ssl.SSLWantWriteError:
            self._await_writable()
        except ssl.SSLError as e:
            self._finish(Outcome.TLS_FAILED, getattr(e, "verify_message", "") or str(e))
        except OSError as e:
            self._finish(of_error(e.errno), _text(e.errno))
        else:
            self._stop_writing()
            self._wrote_ns = time.monotonic_ns()
            self._flush()

    def _flush(self) -> None:
        sock = self._sock
        if sock is None:
            return
        try:
            count = sock.send(self._out)
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._await_writable()
            return
        except OSError as e:
            # An answer that came before the error was read by now: readers run before writers.
            self._broken(e)
            return
        if self.state is not State.SENDING:
            self._note_port(sock)
        self.state = State.SENDING
        self._await_readable()
        if count < len(self._out):
            self._out = memoryview(self._out)[count:]
            self._await_writable()
            return
        self._stop_writing()
        self.state = State.RECEIVING

    def _note_port(self, sock: socket.socket) -> None:
        self.port = sock.getsockname()[1]
        if self.exchange is not None:
            self.exchange.port = self.port

    # Reading

    def _on_readable(self) -> None:
        if self.state is State.HANDSHAKING:
            self._handshake()
            return
        if self.state is State.IDLE:
            if not self._is_still_open():
                self._owner.closed_idle(self)
            return
        self._receive()

    def _receive(self) -> None:
        sock = self._sock
        if sock is None:
            return
        try:
            data = sock.recv(_READ_SIZE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as e:
            self._broken(e)
            return
        response = self._response
        progress = response.feed(data) if data else response.end()
        if progress is Progress.COMPLETE:
            self._finish(Outcome.ANSWERED if response.status < 400 else Outcome.HTTP_ERROR)
        elif progress is Progress.MALFORMED:
            self._finish(Outcome.MALFORMED, response.problem)
        elif not data:
            self._ended()

    def _ended(self) -> None:
        """The server closed, and the answer is not whole."""
        if self._response.started:
            self._finish(Outcome.TRUNCATED, "the server closed in the middle of its answer")
        elif self._may_be_idle_race():
            self._finish(Outcome.CLOSED_IDLE_RACE, "an idle connection closed as it was written to")
        else:
            self._finish(Outcome.CLOSED, "the server closed without an answer")

    def _broken(self, error: OSError) -> None:
        if isinstance(error, ssl.SSLError):
            self._finish(Outcome.RESET, str(error))
        elif not self._response.started and self._may_be_idle_race():
            self._finish(Outcome.CLOSED_IDLE_RACE, "an idle connection closed as it was written to")
        else:
            outcome = of_error(error.errno)
            self._finish(outcome, _text(error.errno))

    def _may_be_idle_race(self) -> bool:
        age_ns = time.monotonic_ns() - self._wrote_ns
        return self.reused and age_ns <= self._owner.idle_race_window_ns


def _text(number: int | None) -> str:
    return os.strerror(number) if number else "unknown error"
