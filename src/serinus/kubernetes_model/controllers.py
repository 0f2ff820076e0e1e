"""Run the controllers of a cluster: changes become keys, keys are reconciled, one at a time.

Nothing runs by itself and nothing waits: `run` works until it is quiet and says when time alone
will bring more work. A new `Controllers` on the same cluster is what a restart of
kube-controller-manager is: it looks at everything again.
"""

from __future__ import annotations

import heapq

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model.requests import Change, ChangeType, Object
from serinus.kubernetes_model.workloads import triggers
from serinus.kubernetes_model.workloads.objects import Kind, is_namespace_terminating
from serinus.kubernetes_model.workloads.triggers import Key
from serinus.kubernetes_model.workloads.writes import Backend, Writes

_BACKOFF_MAX_MS = 1_000_000
_BACKOFF_MS = {"endpoint-slice": 1_000}
_BACKOFF_DEFAULT_MS = 5
_RETRIES_MAX = {"endpoint-slice": 15, "deployment": 15}


class Controllers:
    """Reconcile what changes in one cluster."""

    def __init__(
        self, cluster: Backend, *, events: bool = True, like: Controllers | None = None
    ) -> None:
        """Look at all objects of `cluster` and listen to its changes.

        Without `events` no Kubernetes Events are written, which a simulation does not need. `like`
        are the controllers of the cluster that this one is a copy of: go on where they are.
        """
        self._cluster = cluster
        self._objects = Writes(cluster, events=events)
        self._queue: dict[Key, None] = {}
        self._due: dict[Key, Instant] = {}
        self._agenda: list[tuple[Instant, Key]] = []
        self._delays: list[tuple[Key, int]] = []
        self._failures: dict[Key, int] = {}
        self.last_error: tuple[Key, errors.ClusterError] | None = None
        """What went wrong last, for those who watch the controllers."""
        if like is None:
            self._look_at_all()
        else:
            self._take_over(like)
        cluster.on_change.append(self._take)

    def _look_at_all(self) -> None:
        listed = [(_kind_of(obj), obj) for obj in self._cluster.snapshot()[0]]
        for kind, obj in listed:
            self._objects.put(kind, obj)
        for kind, obj in listed:
            self._enqueue(triggers.Change(kind, None, obj))

    def _take_over(self, other: Controllers) -> None:
        self._objects.take_over(other._objects)
        self._queue.update(other._queue)
        self._due.update(other._due)
        self._agenda.extend(other._agenda)
        self._delays.extend(other._delays)
        self._failures.update(other._failures)

    @property
    def pending(self) -> tuple[Key, ...]:
        """Return the keys that can be reconciled now, in the order in which they came."""
        return tuple(self._queue)

    def close(self) -> None:
        """Stop listening: this set of controllers is dead."""
        self._cluster.on_change.remove(self._take)

    def run(self, now: Instant, max_steps: int | None = None) -> Instant | None:
        """Reconcile until nothing is left to do now, or `max_steps` are done.

        Return when to run again, even if nothing changes until then: None is never, `now` is at
        once because steps ran out.
        """
        steps = 0
        while max_steps is None or steps < max_steps:
            if not self.step(now):
                return self._next_due()
            steps += 1
        return now if self._queue else self._next_due()

    def step(self, now: Instant, key: Key | None = None) -> Key | None:
        """Reconcile one key (the longest pending, unless told which); return it, if any was."""
        self._advance(now)
        if key is None:
            key = next(iter(self._queue), None)
        if key is None or key not in self._queue:
            return None
        del self._queue[key]
        self._due.pop(key, None)
        self._objects.now = now
        try:
            wake_at = triggers.RECONCILES[key.controller](
                self._objects, key.namespace, key.name, now
            )
        except errors.ClusterError as error:
            self._back_off(key, error, now)
            return key
        self._failures.pop(key, None)
        if wake_at is not None:
            self._wake(key, max(wake_at, now + 1))
        return key

    def _advance(self, now: Instant) -> None:
        for key, delay_ms in self._delays:
            self._wake(key, now + delay_ms)
        self._delays.clear()
        while (due := self._next_due()) is not None and due <= now:
            _, key = heapq.heappop(self._agenda)
            del self._due[key]
            self._queue.setdefault(key)

    def _wake(self, key: Key, due: Instant) -> None:
        self._due[key] = due
        heapq.heappush(self._agenda, (due, key))

    def _next_due(self) -> Instant | None:
        """Return when the next key is due; entries that were overtaken are dropped on the way."""
        while self._agenda:
            due, key = self._agenda[0]
            if self._due.get(key) == due:
                return due
            heapq.heappop(self._agenda)
        return None

    def _back_off(self, key: Key, error: errors.ClusterError, now: Instant) -> None:
        self.last_error = (key, error)
        if is_namespace_terminating(error):
            # Nothing can be created there any more, however often it is tried.
            self._failures.pop(key, None)
            return
        count = self._failures.get(key, 0)
        retries_max = _RETRIES_MAX.get(key.controller)
        if retries_max is not None and count >= retries_max:
            # Dropped until the next change, as the real controllers do.
            del self._failures[key]
            return
        self._failures[key] = count + 1
        base = _BACKOFF_MS.get(key.controller, _BACKOFF_DEFAULT_MS)
        self._wake(key, now + min(base << min(count, 30), _BACKOFF_MAX_MS))

    def _take(self, change: Change) -> None:
        kind = _kind_of(change.object)
        after: Object | None = change.object
        if change.type is ChangeType.DELETED:
            before = self._objects.remove(kind, change.object) or change.previous
            after = None
        else:
            before = self._objects.put(kind, change.object)
        self._enqueue(triggers.Change(kind, before, after))

    def _enqueue(self, change: triggers.Change) -> None:
        for key, delay_ms in triggers.keys_for(self._objects, change):
            if delay_ms:
                self._delays.append((key, delay_ms))
            else:
                self._queue.setdefault(key)


def _kind_of(obj: Object) -> Kind:
    """Return the kind under which an object is stored, whichever group a request named."""
    return Kind(obj["apiVersion"], obj["kind"])
