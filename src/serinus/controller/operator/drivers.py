"""Who else drives a release: a command line that began it, and holds its Lease while it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from serinus.controller.kubernetes.caches import Caches
from serinus.controller.kubernetes.record import record_name
from serinus.controller.operator.concerns import Key
from serinus.kube import kinds
from serinus.kube.lease import read_record
from serinus.traffic.plan import Manifest


class Drivers:
    """The Leases of releases, by when each was last seen to change on our own clock.

    As in an election: the times in a Lease come from another machine's clock and prove nothing.
    """

    def __init__(self, caches: Caches, monotonic_s: Callable[[], float] | None = None) -> None:
        self._caches = caches
        self._now_s = monotonic_s or (lambda: asyncio.get_running_loop().time())
        self._changed_at_s: dict[Key, float] = {}
        caches.listen(kinds.LEASES, self._hear)

    def of(self, key: Key) -> str:
        """Return who drives a release, or nothing where nobody does any more."""
        namespace, name = key
        found = self._caches.get(kinds.LEASES, namespace, record_name(name))
        if found is None:
            return ""
        record = read_record(dict(found))
        # Seen for the first time now: it may have been renewed a moment ago.
        seen_s = self._changed_at_s.setdefault((namespace, record_name(name)), self._now_s())
        expired = self._now_s() - seen_s > (record.duration_ms or 0) / 1000
        return "" if expired else record.holder

    def _hear(self, event: str, found: Manifest) -> None:
        meta = found["metadata"]
        key = (meta["namespace"], meta["name"])
        if event == "DELETED":
            self._changed_at_s.pop(key, None)
        else:
            self._changed_at_s[key] = self._now_s()
