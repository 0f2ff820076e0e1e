"""A copy of one collection that follows the API server: list, then watch, whatever happens.

The cache never ends by itself. A version that is no longer kept leads to a new list, and what was
deleted meanwhile is told as a deletion; errors lead to a longer and longer pause, with jitter.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

import msgspec

from serinus import errors, process
from serinus.clock import Clock, Instant
from serinus.kube.client import WATCH_TIMEOUT_MS, Client, Decoder, Manifest, manifest_decoder
from serinus.kube.index import Index, Keys
from serinus.kube.kinds import Kind

ObjectT = TypeVar("ObjectT")
Listener = Callable[[str, ObjectT], None]


class Backoff(msgspec.Struct, frozen=True):
    """How long to wait after the n-th failure in a row: doubling, jitter over the upper half."""

    first_ms: int = 250
    ceiling_ms: int = 30_000

    def pause_ms(self, failure_count: int, source: random.Random) -> int:
        """Return the pause after `failure_count` failures in a row, which is 1 or more."""
        # Past 30 doublings any ceiling is reached; the bound keeps the number small.
        whole = min(self.ceiling_ms, self.first_ms << min(failure_count - 1, 30))
        return whole - source.randint(0, whole // 2)


class Changes:
    """Count changes: a consumer of several caches can wait for the next one and miss none."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake all that wait."""
        self.count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, timeout_ms: int | None = None, *, since_count: int | None = None) -> bool:
        """Wait until `count` differs from `since_count` (by default the present one).

        Returns:
            Whether there was a change within the timeout.
        """
        since = self.count if since_count is None else since_count
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000):
                while self.count == since:
                    await self._event.wait()
        return self.count != since


class CacheSetting(msgspec.Struct, frozen=True):
    """What a cache needs of the world around it; the defaults suit a real cluster."""

    changes: Changes | None = None
    """Shared by caches that one consumer waits for together."""
    backoff: Backoff = Backoff()
    watch_timeout_ms: int = WATCH_TIMEOUT_MS
    """The shortest that a watch is asked to last; up to as much again is added by chance."""
    clock: Clock | None = None
    random: random.Random | None = None
    packed: bool = False
    """Hold plain manifests as bytes and unpack them for each reader: a sixth of the memory."""


class _Identity(msgspec.Struct, frozen=True, rename="camel", gc=False):
    resource_version: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""


class _Identified(msgspec.Struct, frozen=True):
    metadata: _Identity = _Identity()


class _Entry(msgspec.Struct, frozen=True, gc=False):
    identity: _Identity
    held: Any
    """The object, or its bytes."""


_SHORT_WATCH_S = 1
_Key = tuple[str, str]
_identities = msgspec.json.Decoder(_Identified)


class Cache(Generic[ObjectT]):
    """Hold all objects of a kind that a selector takes; `async with` starts and ends it.

    Objects are those that `decode` makes of each one's JSON; without it plain dicts, which are
    shared: do not change them.
    """

    @overload
    def __init__(
        self: Cache[Manifest],
        client: Client,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        setting: CacheSetting | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        client: Client,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        decode: Decoder[ObjectT],
        setting: CacheSetting | None = None,
    ) -> None: ...

    def __init__(
        self,
        client: Client,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        decode: Decoder[Any] | None = None,
        setting: CacheSetting | None = None,
    ) -> None:
        setting = setting or CacheSetting()
        self.kind = kind
        self.changes = setting.changes or Changes()
        self.last_error: errors.ClusterError | None = None
        self._client = client
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._decode: Decoder[Any] = decode or manifest_decoder(kind)
        self._setting = setting
        self._clock = setting.clock or process.SystemClock()
        self._random = setting.random or random.Random()  # noqa: S311 - jitter, not a secret
        self._pack: Callable[[Any], Any] = _as_it_is
        self._unpack: Callable[[Any], Any] = _as_it_is
        if setting.packed:
            self._pack, self._unpack = msgspec.msgpack.encode, msgspec.msgpack.decode
        self._entries: dict[_Key, _Entry] = {}
        self._version = ""
        self._stale_since: Instant | None = self._clock.now_ms()
        self._synced = False
        self._failure_count = 0
        self._listeners: list[Listener[ObjectT]] = []
        self._indexes: list[Index[ObjectT]] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def start(self) -> None:
        """Begin to follow; a second call does nothing."""
        if self._task is None:
            name = f"cache of {self.kind.resource}"
            self._task = asyncio.create_task(self._run(), name=name)
            self._task.add_done_callback(lambda _: self.changes.notify())

    async def close(self) -> None:
        """Stop to follow; what is held can still be read."""
        task = self._task
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])

    @property
    def resource_version(self) -> str:
        """The version up to which changes are known; empty before the first list."""
        return self._version

    @property
    def stale_since_ms(self) -> Instant | None:
        """Since when nothing has been heard and no watch stands, or None while one does."""
        return self._stale_since

    @property
    def is_synced(self) -> bool:
        """Whether the first list is there."""
        return self._synced

    def get(self, name: str, namespace: str | None = None) -> ObjectT | None:
        """Return an object, by default of the cache's own namespace, or None."""
        return self._find((namespace or self._namespace or "", name))

    def items(self) -> list[ObjectT]:
        """Return all objects, ordered by namespace and name."""
        return [self._unpack(self._entries[key].held) for key in sorted(self._entries)]

    def add_listener(self, listener: Listener[ObjectT]) -> None:
        """Have each later change told as (ADDED, MODIFIED or DELETED, object); it never raises."""
        self._listeners.append(listener)

    def add_index(self, keys: Keys[ObjectT]) -> Index[ObjectT]:
        """Return an index of the objects under the keys that each has; it follows the cache."""
        index = Index(keys, self._find)
        for key, entry in self._entries.items():
            index.put(key, self._unpack(entry.held))
        self._indexes.append(index)
        return index

    def _find(self, key: _Key) -> ObjectT | None:
        entry = self._entries.get(key)
        return None if entry is None else self._unpack(entry.held)

    async def synced(self, timeout_ms: int | None = None) -> None:
        """Wait for the first list.

        Raises:
            ClusterError: the first list was refused in a way that waiting does not mend.
            Unavailable: it did not come in time; caused by the last error, if there was one.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000):
                while not self._synced:
                    self._raise_if_dead()
                    if self.last_error is not None and self.last_error.retry is errors.Retry.NEVER:
                        raise self.last_error
                    await self.changes.wait()
        if not self._synced:
            words = f"no list of {self.kind.resource} within {timeout_ms} ms"
            if self.last_error is not None:
                words = f"{words}: {self.last_error}"
            raise errors.Unavailable(words) from self.last_error

    async def wait_for_change(
        self, timeout_ms: int | None = None, *, since_count: int | None = None
    ) -> bool:
        """Wait for the next change; return whether one came in time.

        Args:
            timeout_ms: how long to wait at most.
            since_count: `changes.count` as it was when the caller last looked.
        """
        self._raise_if_dead()
        changed = await self.changes.wait(timeout_ms, since_count=since_count)
        self._raise_if_dead()
        return changed

    def _raise_if_dead(self) -> None:
        """Let a defect in a decoder or a listener surface where somebody waits."""
        task = self._task
        if task is not None and task.done() and not task.cancelled():
            task.result()

    async def _run(self) -> None:
        needs_list = True
        while True:
            try:
                if needs_list:
                    await self._list()
                    needs_list = False
                await self._follow()
            except errors.Gone as e:
                needs_list = True
                await self._back_off(e)
            except errors.ClusterError as e:
                await self._back_off(e)

    async def _back_off(self, error: errors.ClusterError) -> None:
        self.last_error = error
        if self._stale_since is None:
            self._stale_since = self._clock.now_ms()
        self._failure_count += 1
        if isinstance(error, errors.Gone) and self._failure_count == 1:
            # Nothing is wrong with the server: it has only forgotten what we last saw.
            return
        self.changes.notify()
        pause_ms = self._setting.backoff.pause_ms(self._failure_count, self._random)
        await asyncio.sleep(max(pause_ms, error.retry_after_ms or 0) / 1000)

    async def _list(self) -> None:
        found = await self._client.list(
            self.kind,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            decode=self._entry,
        )
        before, self._entries = self._entries, {_key(e): e for e in found.items}
        self._version = found.resource_version
        self._synced = True
        for key, old in before.items():
            new = self._entries.get(key)
            if new is None or new.identity.uid != old.identity.uid:
                self._tell("DELETED", old)
        for key, entry in self._entries.items():
            known = before.get(key)
            if known is None or known.identity.uid != entry.identity.uid:
                self._tell("ADDED", entry)
            elif known.identity.resource_version != entry.identity.resource_version:
                self._tell("MODIFIED", entry)
        self.changes.notify()

    async def _follow(self) -> None:
        """Watch once, until the server ends it."""
        shortest_ms = self._setting.watch_timeout_ms
        loop = asyncio.get_running_loop()
        started = loop.time()
        stream = self._client.watch(
            self.kind,
            self._namespace,
            resource_version=self._version,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            timeout_ms=shortest_ms + self._random.randint(0, shortest_ms),
            on_open=self._opened,
            decode=_undecoded,
        )
        heard = False
        async with contextlib.aclosing(stream):
            async for event in stream:
                heard = True
                self._failure_count = 0
                self._take(event.type, event.object)
        if not heard and loop.time() - started < _SHORT_WATCH_S:
            # A server, or a proxy, that ends each watch at once must not be asked in a busy loop.
            words = f"the server ended the watch of {self.kind.resource} as soon as it began"
            raise errors.Unavailable(words)
        self._failure_count = 0

    def _opened(self) -> None:
        if self._stale_since is not None:
            self._stale_since = None
            self.changes.notify()

    def _take(self, event_type: str, raw: msgspec.Raw) -> None:
        if event_type == "BOOKMARK":
            # Its object is hollow, with nulls where no real one has them: only the version counts.
            self._version = _identities.decode(raw).metadata.resource_version
            return
        entry = self._entry(raw)
        key = _key(entry)
        if event_type == "DELETED":
            self._entries.pop(key, None)
        else:
            self._entries[key] = entry
        self._version = entry.identity.resource_version
        self._tell(event_type, entry)
        self.changes.notify()

    def _entry(self, raw: msgspec.Raw) -> _Entry:
        identity = _identities.decode(raw).metadata
        try:
            return _Entry(identity, self._pack(self._decode(raw)))
        except msgspec.DecodeError as e:
            name = f"{identity.namespace}/{identity.name}".removeprefix("/")
            words = f"{self.kind.resource} {name!r} is not what was expected: {e}"
            raise errors.Invalid(words) from e

    def _tell(self, event_type: str, entry: _Entry) -> None:
        found = self._unpack(entry.held)
        for index in self._indexes:
            if event_type == "DELETED":
                index.drop(_key(entry))
            else:
                index.put(_key(entry), found)
        for listener in self._listeners:
            listener(event_type, found)


def _as_it_is(found: Any) -> Any:
    return found


def _key(entry: _Entry) -> _Key:
    return entry.identity.namespace, entry.identity.name


def _undecoded(raw: msgspec.Raw) -> msgspec.Raw:
    return raw
