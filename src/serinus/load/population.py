"""Clients of one kind: when they ask (open or closed loop) and on which connection."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from serinus.load.connection import Connection, Exchange, State
from serinus.load.http1 import ResponseReader
from serinus.load.outcome import ConnectionKind, Outcome
from serinus.load.plan import IDEMPOTENT, LoadPlan
from serinus.load.tally import Tally
from serinus.load.target import Target

_BATCH_MAX = 128
# The timers of uvloop have milliseconds: a shorter wait would be a busy one.
_TICK_MIN_S = 0.001
# A closed loop against a closed port would otherwise spin.
_AFTER_FAILURE_S = 0.01


class Population:
    """Send requests over connections of one kind and hand each outcome to the tally."""

    def __init__(
        self, plan: LoadPlan, target: Target, tally: Tally, kind: ConnectionKind, *, keep: int
    ) -> None:
        self.kind = kind
        self.idle_race_window_ns = plan.idle_race_window_ms * 1_000_000
        self.body_max = plan.version_source.body_max
        self._retries_race = plan.retry_idle_race and plan.method in IDEMPOTENT
        self._loop = asyncio.get_running_loop()
        self._target = target
        self._tally = tally
        self._counts = tally.populations[kind]
        self._keep = keep
        self._idle: deque[Connection] = deque()
        # Ordered by start, so the one that times out first stands first.
        self.in_flight: dict[Connection, None] = {}
        self.pace: OpenLoop | ClosedLoop | None = None

    def ask(self, intended_ns: int) -> None:
        """Start one request now."""
        exchange = Exchange(intended_ns, time.monotonic_ns())
        if self.kind is ConnectionKind.KEEP_ALIVE:
            # First so many connections as there are users, then the one that waited longest: each
            # is used in turn, as by a crowd of users, and none goes stale.
            while self._idle and len(self._idle) + len(self.in_flight) >= self._keep:
                connection = self._idle.popleft()
                self.in_flight[connection] = None
                if connection.send(exchange):
                    return
                del self.in_flight[connection]
                self._counts.idle_closes_count += 1
        self._open(exchange)

    def _open(self, exchange: Exchange) -> None:
        connection = Connection(self._loop, self._target, self)
        self._counts.connections_count += 1
        self.in_flight[connection] = None
        connection.open(exchange)

    def finished(
        self, connection: Connection, outcome: Outcome, response: ResponseReader, detail: str
    ) -> None:
        """Count what came of the exchange on `connection`, or ask once more after a race."""
        exchange, connection.exchange = connection.exchange, None
        self.in_flight.pop(connection, None)
        if exchange is None:
            return
        if outcome is Outcome.CLOSED_IDLE_RACE and self._retries_race:
            # Once at most: the new connection is not a reused one, and cannot race.
            self._counts.idle_race_retries_count += 1
            self._open(exchange)
            return
        self._tally.count(
            exchange,
            self.kind,
            outcome,
            response=response,
            detail=detail,
            ended_ns=time.monotonic_ns(),
        )
        if connection.state is State.IDLE:
            if len(self._idle) < self._keep:
                self._idle.append(connection)
            else:
                connection.close()
        if self.pace is not None:
            self.pace.ended(outcome)

    def closed_idle(self, connection: Connection) -> None:
        """Forget a connection that the server closed while nothing was asked on it."""
        self._counts.idle_closes_count += 1
        self._idle.remove(connection)

    def expire(self, before_ns: int) -> None:
        """Time out the requests that started before `before_ns`."""
        while self.in_flight:
            connection = next(iter(self.in_flight))
            if connection.exchange is None or connection.exchange.started_ns > before_ns:
                return
            connection.give_up(Outcome.TIMED_OUT, f"no whole answer; {connection.state.value}")

    def not_sent(self, intended_ns: int, detail: str) -> None:
        """Count a request for which there was no time left."""
        now_ns = time.monotonic_ns()
        exchange = Exchange(intended_ns, now_ns)
        self._tally.count(
            exchange,
            self.kind,
            Outcome.NOT_SENT,
            response=ResponseReader(),
            detail=detail,
            ended_ns=now_ns,
        )

    def abandon(self) -> None:
        """Give up all that is in flight."""
        for connection in list(self.in_flight):
            connection.give_up(Outcome.ABANDONED, "")

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()


class OpenLoop:
    """Ask on a timetable that the answers do not change.

    Args:
        interval_ns: between two requests.
        first_ns: monotonic time of the first.
        count: how many requests the timetable holds.
    """

    def __init__(
        self, population: Population, *, interval_ns: float, first_ns: int, count: int
    ) -> None:
        self._population = population
        self._interval_ns = interval_ns
        self._first_ns = first_ns
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.planned_count = count
        self.asked_count = 0

    def start(self) -> None:
        """Begin the timetable."""
        self._tick()

    @property
    def is_over(self) -> bool:
        """Whether all requests have been started."""
        return self.asked_count >= self.planned_count

    def _due_ns(self) -> int:
        return self._first_ns + round(self.asked_count * self._interval_ns)

    def _tick(self) -> None:
        now_ns = time.monotonic_ns()
        for _ in range(_BATCH_MAX):
            if self.is_over or self._due_ns() > now_ns:
                break
            due_ns = self._due_ns()
            self.asked_count += 1
            self._population.ask(due_ns)
        if not self.is_over:
            delay_s = max(_TICK_MIN_S, (self._due_ns() - time.monotonic_ns()) / 1e9)
            self._timer = self._loop.call_later(delay_s, self._tick)

    def ended(self, outcome: Outcome) -> None:
        """An open loop does not care."""

    def halt(self) -> None:
        """Start no more requests; the timetable ends here."""
        if self._timer is not None:
            self._timer.cancel()
        self.planned_count = self.asked_count

    def give_up(self) -> None:
        """Count all that is still to be asked as not sent."""
        if self._timer is not None:
            self._timer.cancel()
        while not self.is_over:
            due_ns = self._due_ns()
            self.asked_count += 1
            self._population.not_sent(due_ns, "the load client could not keep up with its rate")


class ClosedLoop:
    """Keep so many clients, each of which asks again when it has its answer."""

    def __init__(
        self, population: Population, *, clients_count: int, requests_max: int | None
    ) -> None:
        self._population = population
        self._clients_count = clients_count
        self._requests_max = requests_max
        self._loop = asyncio.get_running_loop()
        self._halted = False
        self.asked_count = 0

    @property
    def planned_count(self) -> int:
        """How many requests were started."""
        return self.asked_count

    @property
    def is_over(self) -> bool:
        """Whether no more requests will be started."""
        return self._halted or (
            self._requests_max is not None and self.asked_count >= self._requests_max
        )

    def start(self) -> None:
        """Let every client ask."""
        for _ in range(self._clients_count):
            self._ask()

    def _ask(self) -> None:
        if not self.is_over:
            self.asked_count += 1
            self._population.ask(time.monotonic_ns())

    def ended(self, outcome: Outcome) -> None:
        """Let the client whose request ended ask again."""
        if outcome is Outcome.ANSWERED:
            # Not from within: an answer may come before `ask` returns.
            self._loop.call_soon(self._ask)
        else:
            self._loop.call_later(_AFTER_FAILURE_S, self._ask)

    def halt(self) -> None:
        """Start no more requests."""
        self._halted = True

    def give_up(self) -> None:
        """Start no more requests: a closed loop owes none."""
        self._halted = True
