"""The model at work: each step is committed to the log before anyone sees it.

A step is one request's write or one run of the controllers. It runs in one piece on the event loop:
change the memory, append to the log, tell the watchers. When the log refuses, the memory is read
back from it, so that nothing is ever seen that a restart would not bring back.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from serinus.clock import Clock
from serinus.kubernetes_model import Change, ChangeType, Cluster, Object, Resource
from serinus.kubernetes_model.controllers import Controllers
from serinus.kubernetes_model.kinds import CUSTOM_RESOURCE_DEFINITIONS
from serinus.local_cluster.server.durable_log import DurableLog, LogFull, Record

T = TypeVar("T")
_Key = tuple[tuple[str, str], str, str]

# While the log refuses, controllers try again this often.
_RETRY_MS = 1_000
# Reconciles in one piece before requests get their turn.
_STEPS_MAX = 200


class Published(msgspec.Struct):
    """A committed change with its bytes, made once for all who need them."""

    change: Change
    body: bytes

    _frames: dict[ChangeType, bytes] = msgspec.field(default_factory=dict)

    def frame(self, type_: ChangeType) -> bytes:
        """Return one line of a watch stream that says the change as `type_`."""
        frame = self._frames.get(type_)
        if frame is None:
            frame = b'{"type":"%s","object":%s}\n' % (type_.value.encode(), self.body)
            self._frames[type_] = frame
        return frame


class Subscriber(Protocol):
    """One who is told committed changes of one resource."""

    def offer(self, published: Published) -> None:
        """Take a change; must neither wait nor raise."""
        ...


class LiveCluster:
    """Own the model, its log and its controllers; the only writer."""

    def __init__(self, cluster: Cluster, log: DurableLog, clock: Clock) -> None:
        self.cluster = cluster
        self.clock = clock
        self.kinds_version = 0
        """Grows whenever the served kinds may have changed."""
        self._log = log
        self._pending: list[Change] = []
        self._bodies: dict[_Key, tuple[Object, bytes]] = {}
        self._subscribers: dict[tuple[str, str], set[Subscriber]] = {}
        self._controllers: Controllers | None = None
        self._reported: object = None
        self._soon: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        cluster.on_change.append(self._note)

    def load(self) -> bool:
        """Take over what the log holds; return whether it held anything."""
        objects, version = self._log.load()
        if not version:
            return False
        self.cluster.restore(objects, version)
        self.kinds_version += 1
        return True

    def start_controllers(self) -> None:
        """Let the controllers look at everything, and from then on at each change."""
        self._controllers = Controllers(self.cluster)
        self._run_soon()

    def stop(self) -> None:
        """Run no controllers any more and close the log."""
        for handle in (self._soon, self._timer):
            if handle is not None:
                handle.cancel()
        self._controllers = None
        self._log.close()

    def write(self, action: Callable[[], T]) -> T:
        """Run a change of the model and commit it.

        Raises:
            LogFull: it could not be logged and was taken back.
        """
        try:
            return action()
        finally:
            # Also what a refused action changed before it was refused is part of the memory.
            self._commit()

    def body(self, resource: Resource, item: Object) -> bytes:
        """Return the JSON of an object that the model gave out."""
        key = _key(resource, item)
        known = self._bodies.get(key)
        if known is not None and known[0] is item:
            return known[1]
        body = msgspec.json.encode(item)
        if known is None:
            self._bodies[key] = (item, body)
        return body

    def subscribe(self, resource: Resource, subscriber: Subscriber) -> None:
        """Tell a subscriber all changes of a resource from now on."""
        self._subscribers.setdefault(resource.storage_key, set()).add(subscriber)

    def unsubscribe(self, resource: Resource, subscriber: Subscriber) -> None:
        """Tell it no more."""
        self._subscribers.get(resource.storage_key, set()).discard(subscriber)

    def _note(self, change: Change) -> None:
        self._pending.append(change)
        if change.resource.plural == CUSTOM_RESOURCE_DEFINITIONS.plural:
            self.kinds_version += 1

    def _commit(self) -> None:
        if not self._pending:
            return
        changes, self._pending = self._pending, []
        try:
            published = [
                Published(change, msgspec.json.encode(change.object)) for change in changes
            ]
            self._log.append(map(_record, published), self.cluster.resource_version)
        except BaseException:
            # Whatever the reason: what is not in the log must not stay in the memory.
            self._take_back()
            raise
        for item in published:
            self._publish(item)
        self._run_soon()

    def _publish(self, published: Published) -> None:
        change = published.change
        key = _key(change.resource, change.object)
        if change.type is ChangeType.DELETED:
            self._bodies.pop(key, None)
        else:
            self._bodies[key] = (change.object, published.body)
        for subscriber in tuple(self._subscribers.get(change.resource.storage_key, ())):
            subscriber.offer(published)

    def _take_back(self) -> None:
        """Make the memory what the log says."""
        self._bodies.clear()
        self.cluster.restore(*self._log.load())
        self.kinds_version += 1
        self._pending.clear()
        if self._controllers is not None:
            self._controllers.close()
            self._controllers = Controllers(self.cluster)
            self._run_later(self.clock.now_ms() + _RETRY_MS)

    def _run_soon(self) -> None:
        if self._controllers is not None and self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._run_controllers)

    def _run_later(self, wake_at: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay_ms = max(0, wake_at - self.clock.now_ms())
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay_ms / 1000, self._run_soon)

    def _run_controllers(self) -> None:
        self._soon = None
        if self._controllers is None:
            return
        try:
            wake_at = self._controllers.run(self.clock.now_ms(), _STEPS_MAX)
        except Exception:  # noqa: BLE001  (a defect in a controller must not end all of them)
            traceback.print_exc(file=sys.stderr)
            wake_at = self.clock.now_ms() + _RETRY_MS
        self._report_failure()
        try:
            self._commit()
        except LogFull as e:
            sys.stderr.write(f"controllers: {e}\n")
            return
        if self._controllers.pending:
            self._run_soon()
        elif wake_at is not None:
            self._run_later(wake_at)

    def _report_failure(self) -> None:
        """Print what a controller stumbled over, once."""
        failure = None if self._controllers is None else self._controllers.last_error
        if failure is not None and failure is not self._reported:
            self._reported = failure
            key, error = failure
            sys.stderr.write(f"{key.controller} {key.namespace}/{key.name}: {error}\n")


def _key(resource: Resource, item: Object) -> _Key:
    metadata = item["metadata"]
    return (resource.storage_key, metadata.get("namespace", ""), metadata["name"])


def _record(published: Published) -> Record:
    (group, plural), namespace, name = _key(published.change.resource, published.change.object)
    gone = published.change.type is ChangeType.DELETED
    return Record(f"{group}/{plural}/{namespace}/{name}", None if gone else published.body)
