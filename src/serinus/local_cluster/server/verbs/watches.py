"""Watch streams: one JSON document a line, for as long as the caller stays.

A watch that starts too far in the past answers 200 and says so in an ERROR event, as the watch
cache of Kubernetes does. Every watcher keeps a queue of ready lines; one that does not read is
closed when its queue is full, and lists again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec

from serinus import errors
from serinus.kubernetes_model import Change, ChangeType, Object, Resource, failures, selectors
from serinus.kubernetes_model.selectors import LabelSelector
from serinus.local_cluster.server.live_cluster import LiveCluster, Published
from serinus.local_cluster.server.serving import answers
from serinus.local_cluster.server.serving.answers import Form, Wish
from serinus.local_cluster.server.serving.call import Call, field_selector
from serinus.local_cluster.server.serving.targets import Target
from serinus.local_cluster.server.tables.render import Tables

BOOKMARK_EVERY_S = 60.0
_QUEUE_BYTES_MAX = 64 * 1024 * 1024
# Kubernetes ends a watch without a limit of its own after 30 to 60 minutes (minRequestTimeout).
_DEFAULT_TIMEOUT_S = (1800.0, 3600.0)
_INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class WatchOptions(msgspec.Struct, frozen=True):
    """What the query of a watch asks for."""

    timeout_s: float
    bookmarks: bool
    initial_events: bool
    start_version: int | None
    """None: begin with the objects of the present."""


def options_of(call: Call) -> WatchOptions:
    """Read the query of a watch.

    Raises:
        Invalid: its parts contradict each other.
    """
    initial = call.flag("sendInitialEvents") if "sendInitialEvents" in call.query else None
    match = call.query.get("resourceVersionMatch")
    if initial is not None and match != "NotOlderThan":
        raise _forbidden("resourceVersionMatch", "sendInitialEvents requires NotOlderThan")
    if initial is None and match:
        raise _forbidden("resourceVersionMatch", "is forbidden for watch without sendInitialEvents")
    timeout = call.number("timeoutSeconds")
    version = call.number("resourceVersion")
    bookmarks = call.flag("allowWatchBookmarks")
    start_now = initial is False and not version
    return WatchOptions(
        timeout_s=float(timeout) if timeout else random.uniform(*_DEFAULT_TIMEOUT_S),  # noqa: S311
        bookmarks=bookmarks,
        initial_events=bool(initial) and bookmarks,
        start_version=-1 if start_now else None if initial or not version else version,
    )


class Watch:
    """One watcher: turns committed changes into the lines that it is to see."""

    def __init__(self, live: LiveCluster, tables: Tables, call: Call, target: Target) -> None:
        self._live = live
        self._tables = tables
        self._resource: Resource = target.resource
        self._namespace = target.namespace
        self._labels = selectors.parse_labels(call.query.get("labelSelector") or "")
        self._fields = _fields_selector(call, target)
        self._selects = bool(self._labels.requirements or self._fields.requirements)
        self._include_object = call.query.get("includeObject") or "Metadata"
        self._options = options_of(call)
        self._wish: Wish = answers.wish_of(call.headers)
        self._headers_sent = False
        self._lines: list[bytes] = []
        self._size = 0
        self._overrun = False
        self._wake = asyncio.Event()
        self._stored = self._resource.storage_group is None

    def start(self) -> None:
        """Queue what comes first and listen from there on; nothing can slip in between.

        A version that is too old queues the ERROR event, which is then all there is.
        """
        version = self._options.start_version
        if version is None:
            self._queue_present()
        elif version >= 0:
            try:
                missed: Sequence[Change] = self._live.cluster.changes_since(self._resource, version)
            except errors.Gone as e:
                self._push(_line("ERROR", failures.status(e)))
                self._overrun = True
                return
            for change in missed:
                self.offer(Published(change, msgspec.json.encode(change.object)))
        self._live.subscribe(self._resource, self)

    def stop(self) -> None:
        """Listen no longer."""
        self._live.unsubscribe(self._resource, self)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield lines as they come, many at once when they come fast."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._options.timeout_s
        bookmark_at = loop.time() + BOOKMARK_EVERY_S
        while True:
            if self._lines:
                chunk, self._lines, self._size = b"".join(self._lines), [], 0
                yield chunk
                continue
            if self._overrun or loop.time() >= end:
                return
            if self._options.bookmarks and loop.time() >= bookmark_at:
                bookmark_at = loop.time() + BOOKMARK_EVERY_S
                self._push(self._bookmark())
                continue
            self._wake.clear()
            until = min(end, bookmark_at) if self._options.bookmarks else end
            timer = loop.call_at(until, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()

    def close(self) -> None:
        """End the stream once what is queued has been sent."""
        self._overrun = True
        self._wake.set()

    def offer(self, published: Published) -> None:
        """Queue the line for a committed change, if this watcher is to see it."""
        change = published.change
        if self._namespace is not None and (
            change.object["metadata"].get("namespace") != self._namespace
        ):
            return
        type_ = self._type_for(change)
        if type_ is None:
            return
        left = type_ is ChangeType.DELETED and change.type is not ChangeType.DELETED
        if self._wish.form is Form.OBJECT and self._stored and not left:
            self._push(published.frame(type_))
        else:
            item = _as_it_left(change) if left else change.object
            self._push(self._said(type_, self._live.cluster.view(self._resource, item)))

    def _type_for(self, change: Change) -> ChangeType | None:
        """Return what a change is to one who sees a selection: objects come and go."""
        if not self._selects:
            return change.type
        had = change.previous is not None and self._matches(change.previous)
        has = change.type is not ChangeType.DELETED and self._matches(change.object)
        if has:
            return ChangeType.MODIFIED if had else ChangeType.ADDED
        return ChangeType.DELETED if had else None

    def _matches(self, item: Object) -> bool:
        if not self._labels.matches(item["metadata"].get("labels")):
            return False
        if not self._fields.requirements:
            return True
        return self._fields.matches(selectors.fields_of(self._resource.kind, item))

    def _queue_present(self) -> None:
        page = self._live.cluster.list(self._resource, self._namespace)
        for item in page.items:
            if self._selects and not self._matches(item):
                continue
            if self._wish.form is Form.OBJECT:
                body = self._live.body(self._resource, item)
                self._push(b'{"type":"ADDED","object":%s}\n' % body)
            else:
                self._push(self._said(ChangeType.ADDED, item))
        if self._options.initial_events:
            self._push(self._bookmark(annotations={_INITIAL_EVENTS_END: "true"}))

    def _said(self, type_: ChangeType, item: Object) -> bytes:
        if self._wish.form is Form.TABLE:
            return _line(type_.value, self._table(item))
        if self._wish.form is Form.OBJECT:
            return _line(type_.value, item)
        return _line(type_.value, answers.metadata_only(item))

    def _table(self, item: Object) -> dict[str, Any]:
        headers, self._headers_sent = not self._headers_sent, True
        return self._tables.table(
            self._tables.columns(self._resource),
            [item],
            {"resourceVersion": item["metadata"]["resourceVersion"]},
            now=self._live.clock.now_ms(),
            include_object=self._include_object,
            headers=headers,
        )

    def _bookmark(self, annotations: dict[str, str] | None = None) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(self._live.cluster.resource_version)}
        metadata["creationTimestamp"] = None
        if annotations:
            metadata["annotations"] = annotations
        item = {
            "kind": self._resource.kind,
            "apiVersion": self._resource.api_version,
            "metadata": metadata,
        }
        if self._wish.form is Form.TABLE:
            document = self._tables.table((), [item], metadata, now=0, headers=False)
            # Without cells nothing is printed, and the version still arrives.
            return _line("BOOKMARK", document)
        return _line("BOOKMARK", item)

    def _push(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size > _QUEUE_BYTES_MAX:
            self._overrun = True
            self._lines.clear()
        self._wake.set()


def _as_it_left(change: Change) -> Object:
    """Return an object as it was when it was last selected, at the version at which it left."""
    previous = change.previous or change.object
    return {
        **previous,
        "metadata": {**previous["metadata"], "resourceVersion": str(change.version)},
    }


def _fields_selector(call: Call, target: Target) -> LabelSelector:
    text = field_selector(call, target.resource) or ""
    if target.name:
        text = f"{text},metadata.name={target.name}" if text else f"metadata.name={target.name}"
    return selectors.parse_fields(text)


def _line(type_: str, item: Any) -> bytes:
    return msgspec.json.encode({"type": type_, "object": item}) + b"\n"


def _forbidden(field: str, why: str) -> errors.Invalid:
    return errors.Invalid(
        f'ListOptions.meta.k8s.io "" is invalid: {field}: Forbidden: {why}', code=422, details={}
    )
