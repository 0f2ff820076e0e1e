"""One process that drives the release: the production rounds, and a queue like that of `run`."""

from __future__ import annotations

import enum

import msgspec

from serinus import errors
from serinus.clock import Instant
from serinus.controller.over_model import port
from serinus.controller.ports import Snapshot, Stored
from serinus.controller.reconcile import Round, reconcile
from serinus.controller.run import BACK_OFF_MS, RECHECK_MS
from serinus.errors import InvariantViolation, Retry
from serinus.release.model import Spec
from serinus.simulation.by_hand import ByHand, Point
from serinus.simulation.cache import Cache
from serinus.simulation.example import NAME, NAMESPACE
from serinus.simulation.world import World
from serinus.traffic.write import Write


class Answer(enum.Enum):
    """How a call to the API server goes."""

    WORKS = "works"
    CONFLICT = "conflict"
    """It is refused: somebody was faster."""
    UNAVAILABLE = "unavailable"
    """It is not done: no connection, 429 or 5xx."""
    LOST_REPLY = "lost reply"
    """It is done, and we hear that it was not."""


class Driver:
    """A driver with its own caches and its own clock; it may crash and start again."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cache = Cache(world)
        self.skew_ms = 0
        """How far its clock is from the world's."""
        self.round: ByHand[Round] | None = None
        """The round that it is in."""
        self.began_ms: Instant = 0
        """What its clock said when that round began."""
        self.read_count = 0
        """How many changes the world had seen when that round read it."""
        self.last: Round | None = None
        """The last round that came to its end."""
        self._due_ms: Instant | None = world.now
        self._hears = True
        """Whether a change wakes it; while it backs off none does."""
        self._failure_count = 0

    def copy(self, world: World) -> Driver:
        """Return the same driver, between two rounds, over a copy of the world."""
        other = Driver(world)
        other.cache.close()
        other.cache = self.cache.copy(world)
        other.skew_ms, other.last = self.skew_ms, self.last
        other.began_ms = self.began_ms
        other._due_ms, other._hears = self._due_ms, self._hears
        other._failure_count = self._failure_count
        return other

    # The queue.

    @property
    def now(self) -> Instant:
        """Return what its clock says."""
        return self.world.now + self.skew_ms

    @property
    def queue(self) -> tuple[int | None, bool, int]:
        """Return what it waits for: milliseconds left, whether it hears, failures so far."""
        due = None if self._due_ms is None else max(0, self._due_ms - self.world.now)
        return due, self._hears, self._failure_count

    @property
    def backs_off(self) -> bool:
        """Tell whether its last round failed."""
        return self._failure_count > 0

    def is_due(self) -> bool:
        """Tell whether a round begins now."""
        if self._due_ms is not None and self._due_ms <= self.world.now:
            return True
        return self._hears and self.cache.has_news()

    def next_due(self) -> Instant | None:
        """Return when time alone makes it due, or shows it something."""
        due = [t for t in (self._due_ms, self.cache.next_due()) if t is not None]
        return min(due, default=None)

    def wake(self) -> None:
        """Make it look again though nothing happened: a repeated event."""
        self._due_ms = self.world.now

    def miss(self) -> None:
        """Let it not hear of what happened: a missed event."""
        self.cache.listen()

    def crash(self) -> None:
        """End its process and start it again: caches are listed anew, back-off is forgotten."""
        if self.round is not None:
            self.round.crash()
            self.round = None
        self.cache.close()
        self.cache = Cache(self.world)
        self._failure_count, self._hears = 0, True
        self._due_ms = self.world.now

    # A round.

    def begin(self) -> None:
        """Begin a round; it stands at its first await then."""
        self.cache.listen()
        if self.cache.record() is None:
            self._due_ms, self._hears, self._failure_count = None, True, 0
            return
        self._go(None)

    def go_on(self, answer: Answer = Answer.WORKS) -> None:
        """Go on to the next await, or to the end of the round."""
        self._go(answer)

    def _go(self, answer: Answer | None) -> None:
        try:
            if answer is None:
                self.began_ms = self.now
                self.round = ByHand(reconcile(self, NAME, self.began_ms))
            elif self.round is not None:
                self.round.go_on(answer)
        except errors.ClusterError as error:
            self.round = None
            self._back_off(error)
            return
        if self.round is not None and self.round.point is None:
            self._done(self.round.result)

    def _done(self, done: Round | None) -> None:
        self.round, self.last = None, done
        self._failure_count, self._hears = 0, True
        wake_at = None if done is None else done.decision.wake_at
        wait_ms = RECHECK_MS if wake_at is None else max(0, wake_at - self.now)
        self._due_ms = self.world.now + min(wait_ms, RECHECK_MS)

    def _back_off(self, error: errors.ClusterError) -> None:
        if error.retry is Retry.NEVER and not isinstance(
            error, errors.NotFound | errors.AlreadyExists
        ):
            raise error
        self._failure_count += 1
        wait_ms = BACK_OFF_MS[min(self._failure_count, len(BACK_OFF_MS)) - 1]
        self._due_ms, self._hears = self.world.now + wait_ms, False

    # The port that the round awaits.

    async def load(self, _: str) -> Stored | None:
        """Return the record as this driver sees it."""
        return self.cache.record()

    async def read(self, spec: Spec) -> Snapshot:
        """Return the objects as this driver sees them."""
        _raise_failure(await Point("read"), "read")
        self.read_count = self.world.change_count
        seen = port.snapshot(self.cache.objects(), spec)
        return msgspec.structs.replace(seen, hold_by=self.world.hold_by)

    async def current(self, spec: Spec) -> Snapshot:
        """Return the objects as they are."""
        _raise_failure(await Point("current"), "read anew")
        return port.read(self.world.cluster, NAMESPACE, spec)

    async def save(self, stored: Stored) -> Stored:
        """Write the record at its version."""
        answer = await Point("save", stored)
        _raise_failure(answer, "save")
        if self.world.is_forgotten:
            raise errors.NotFound("the record is gone")
        if stored.version != self.world.stored.version:
            raise errors.Conflict("somebody else wrote the record")
        written = self.world.store(stored.release)
        _raise_lost(answer)
        self.cache.wrote_record(written)
        await Point("saved")
        return written

    async def forget(self, name: str) -> None:
        """Take the finalizer off a record that was deleted."""
        answer = await Point("forget")
        _raise_failure(answer, "forget")
        if self.world.is_forgotten:
            raise errors.NotFound("the record is gone")
        if not self.world.stored.release.leaving:
            raise InvariantViolation(f"release {name} was forgotten though nobody deleted it")
        seen = self.cache.record()
        if seen is None or seen.version != self.world.stored.version:
            raise errors.Conflict("somebody else wrote the record")
        self.world.forget()
        _raise_lost(answer)
        self.cache.wrote_record(None)
        await Point("forgotten")

    async def send(self, write: Write) -> None:
        """Send one write."""
        answer = await Point("send", write)
        _raise_failure(answer, write.why)
        written = port.send(self.world.cluster, write, self.world.now)
        _raise_lost(answer)
        self.cache.wrote(written, port.resource_of(write))
        await Point("sent", write)


def _raise_failure(answer: Answer, what: str) -> None:
    if answer is Answer.CONFLICT:
        raise errors.Conflict(f"{what}: somebody was faster")
    if answer is Answer.UNAVAILABLE:
        raise errors.Unavailable(f"{what}: try later")


def _raise_lost(answer: Answer) -> None:
    if answer is Answer.LOST_REPLY:
        raise errors.Unavailable("the connection broke")
