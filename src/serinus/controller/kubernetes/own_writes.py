"""Wait until the caches show what we wrote: no decision is made on a world older than that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from serinus import errors
from serinus.controller.kubernetes.caches import Caches
from serinus.kube.kinds import Kind

FOLLOW_TIMEOUT_MS = 10_000


class _Expected(msgspec.Struct, frozen=True):
    """What a cache must show before it may be read again."""

    kind: Kind
    namespace: str
    name: str
    version: str
    deleted_uid: str = ""


class OwnWrites:
    """The writes of one driver that the caches may not show yet."""

    def __init__(self, caches: Caches) -> None:
        self.on_write: Callable[[str], None] = lambda _: None
        """Told of each write in words, but for those to Leases."""
        self._caches = caches
        self._expected: dict[tuple[Kind, str], _Expected] = {}

    def made(self, kind: Kind, written: Mapping[str, Any]) -> None:
        """Expect an object at the version that a write returned."""
        meta = written["metadata"]
        self._expect(
            _Expected(kind, meta.get("namespace", ""), meta["name"], meta["resourceVersion"])
        )

    def deleted(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Expect an object to be gone, or told to go."""
        self._expect(_Expected(kind, namespace, name, "", uid))

    async def followed(self) -> None:
        """Wait until the caches show all of them.

        Raises:
            Unavailable: the watch is too far behind.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + FOLLOW_TIMEOUT_MS / 1000
        while True:
            count = self._caches.changes.count
            self._expected = {k: e for k, e in self._expected.items() if not self._shows(e)}
            if not self._expected:
                return
            left_ms = int(1000 * (deadline - loop.time()))
            if left_ms <= 0:
                late = ", ".join(f"{e.kind.kind} {e.name}" for e in self._expected.values())
                self._expected.clear()
                raise errors.Unavailable(
                    f"the API server's watch did not show our own write of {late} within "
                    f"{FOLLOW_TIMEOUT_MS // 1000} s"
                )
            await self._caches.changes.wait(left_ms, since_count=count)

    def _expect(self, expected: _Expected) -> None:
        if self._caches.has(expected.kind):
            self._expected[expected.kind, expected.name] = expected

    def _shows(self, expected: _Expected) -> bool:
        found = self._caches.get(expected.kind, expected.namespace, expected.name)
        if expected.deleted_uid:
            if found is None or found["metadata"]["uid"] != expected.deleted_uid:
                return True
            return bool(found["metadata"].get("deletionTimestamp"))
        # Versions of one resource can be compared as numbers: the API concepts page since 1.35.
        seen = (
            found["metadata"]["resourceVersion"] if found else self._caches.version(expected.kind)
        )
        return _number(seen) >= _number(expected.version)


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
