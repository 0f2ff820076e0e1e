"""Events: told to the API server in the background, alike ones counted up."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from typing import Any, Literal

import msgspec
import structlog

from serinus import errors
from serinus.clock import Clock
from serinus.kube import kinds, timestamps
from serinus.kube.client import Client
from serinus.kube.kinds import Kind

_log = structlog.get_logger("serinus.events")

_QUEUE_MAX = 1000
_ALIKE_MAX = 4000
_PAUSE_S = 1.0
EventType = Literal["Normal", "Warning"]


class Subject(msgspec.Struct, frozen=True):
    """What an Event is about."""

    kind: Kind
    namespace: str
    name: str
    uid: str
    field_path: str = ""
    resource_version: str = ""

    def reference(self) -> dict[str, str]:
        """The subject as an object reference."""
        body = {
            "apiVersion": self.kind.api_version,
            "kind": self.kind.kind,
            "name": self.name,
            "uid": self.uid,
        }
        optional = {
            "namespace": self.namespace,
            "fieldPath": self.field_path,
            "resourceVersion": self.resource_version,
        }
        return body | {key: value for key, value in optional.items() if value}


class _Item(msgspec.Struct, frozen=True):
    subject: Subject
    type: EventType
    reason: str
    message: str
    at: int
    component: str


class Recorder:
    """Write Events; an API server that does not answer costs Events, and nothing else."""

    def __init__(
        self, client: Client, clock: Clock, *, host: str, component: str = "serinus-node"
    ) -> None:
        self._component = component
        self._client = client
        self._clock = clock
        self._host = host
        self._queue: asyncio.Queue[_Item] = asyncio.Queue(_QUEUE_MAX)
        self._alike: OrderedDict[tuple[str, ...], tuple[str, int]] = OrderedDict()
        self._count = 0

    def record(
        self,
        subject: Subject,
        reason: str,
        message: str,
        *,
        event_type: EventType = "Normal",
        component: str | None = None,
    ) -> None:
        """Tell of something that happened; returns at once."""
        at = self._clock.now_ms()
        item = _Item(subject, event_type, reason, message, at, component or self._component)
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(item)

    async def run(self) -> None:
        """Write what was recorded, until cancelled."""
        while True:
            item = await self._queue.get()
            try:
                await self._write(item)
            except errors.Unavailable:
                # Try this one again when the server is back; newer ones wait in the queue.
                with contextlib.suppress(asyncio.QueueFull):
                    self._queue.put_nowait(item)
                await asyncio.sleep(_PAUSE_S)
            except errors.ClusterError as e:
                # A namespace that is being deleted takes no Events.
                _log.debug("event refused", reason=item.reason, why=str(e))

    async def _write(self, item: _Item) -> None:
        subject = item.subject
        key = (subject.uid, subject.field_path, item.reason, item.message, item.type)
        namespace = subject.namespace or "default"
        known = self._alike.get(key)
        if known is not None:
            name, count = known
            patch = {"count": count + 1, "lastTimestamp": timestamps.format_seconds(item.at)}
            try:
                await self._client.patch(kinds.EVENTS, name, namespace, patch)
            except errors.NotFound:
                del self._alike[key]
            else:
                self._alike[key] = (name, count + 1)
                return
        name = await self._create(item, namespace)
        self._alike[key] = (name, 1)
        if len(self._alike) > _ALIKE_MAX:
            self._alike.popitem(last=False)

    async def _create(self, item: _Item, namespace: str) -> str:
        self._count += 1
        # As client-go names them: the subject and a number that does not come again.
        name = f"{item.subject.name}.{item.at * 1_000_000 + self._count % 1_000_000:x}"
        at = timestamps.format_seconds(item.at)
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": item.subject.reference(),
            "type": item.type,
            "reason": item.reason,
            "message": item.message[:1024],
            "source": {"component": item.component, "host": self._host},
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
            "reportingComponent": item.component,
            "reportingInstance": self._host,
        }
        await self._client.create(kinds.EVENTS, body, namespace)
        return name
