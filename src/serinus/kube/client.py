"""The verbs of the Kubernetes API, for any kind; objects are plain JSON without a decoder."""

from __future__ import annotations

import contextlib
import copy
import platform
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Self, TypeVar, overload

import msgspec

import serinus
from serinus import errors, process
from serinus.clock import Clock
from serinus.kube import requests, statuses
from serinus.kube.config.connection import Connection
from serinus.kube.kinds import Kind
from serinus.kube.requests import (
    DeleteOptions,
    LogOptions,
    PatchType,
    Propagation,
    Request,
    Target,
    WriteOptions,
)
from serinus.kube.transport import Transport

__all__ = ["Client", "ObjectList", "PatchType", "Propagation", "WatchEvent"]

REQUEST_TIMEOUT_MS = 30_000
WATCH_TIMEOUT_MS = 300_000
_WATCH_GRACE_MS = 5_000
"""How much later than its own timeout a server may end a watch before it counts as half-open."""

ObjectT = TypeVar("ObjectT")
Manifest = dict[str, Any]
Decoder = Callable[[msgspec.Raw], ObjectT]


class ObjectList(msgspec.Struct, Generic[ObjectT], frozen=True):
    """A collection as it was at one version."""

    items: list[ObjectT]
    resource_version: str


class WatchEvent(msgspec.Struct, Generic[ObjectT], frozen=True):
    """A change: ADDED, MODIFIED, DELETED, or BOOKMARK, which only tells the version."""

    type: str
    object: ObjectT


class _ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str | None = msgspec.field(default=None, name="continue")


class _Page(msgspec.Struct, frozen=True):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


_pages = msgspec.json.Decoder(_Page)
_events = msgspec.json.Decoder(_Event)
_statuses = msgspec.json.Decoder(statuses.Status)


class Client:
    """Speak to one API server; one client serves any number of tasks of one event loop."""

    def __init__(
        self,
        connection: Connection,
        *,
        request_timeout_ms: int = REQUEST_TIMEOUT_MS,
        user_agent: str | None = None,
        on_warning: Callable[[str], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.connection = connection
        agent = f"serinus/{serinus.__version__} ({platform.system().lower()}/{platform.machine()})"
        self._transport = Transport(
            connection,
            request_timeout_ms=connection.request_timeout_ms or request_timeout_ms,
            user_agent=user_agent or agent,
            clock=clock or process.SystemClock(),
            on_warning=on_warning,
        )
        self._may_write: Callable[[], bool] = lambda: True

    def fenced(self, may_write: Callable[[], bool]) -> Client:
        """Return a client over the same connections that asks `may_write` before each write.

        A process that stood still goes on in the midst of what it did: a check at the beginning of
        a round is not enough for who may only write while it leads.
        """
        fenced = copy.copy(self)
        fenced._may_write = may_write  # noqa: SLF001 - a copy of ourselves
        return fenced

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def get(
        self, kind: Kind, name: str, namespace: str | None = None, *, subresource: str | None = None
    ) -> Manifest:
        """Return one object.

        Raises:
            NotFound: it is not there.
        """
        return await self._manifest(requests.get(Target(kind, name, namespace, subresource)))

    async def find(
        self, kind: Kind, name: str, namespace: str | None = None, *, subresource: str | None = None
    ) -> Manifest | None:
        """Return one object, or None when it is not there."""
        try:
            return await self.get(kind, name, namespace, subresource=subresource)
        except errors.NotFound:
            return None

    @overload
    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        chunk_count: int = 500,
    ) -> ObjectList[Manifest]: ...

    @overload
    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        chunk_count: int = 500,
        decode: Decoder[ObjectT],
    ) -> ObjectList[ObjectT]: ...

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        chunk_count: int = 500,
        decode: Decoder[Any] | None = None,
    ) -> ObjectList[Any]:
        """Return a collection, all of it at one version; no namespace means all of them.

        When a continue token expires between two pages, all is asked for again, unchunked.
        """
        target, decode = Target(kind, namespace=namespace), decode or manifest_decoder(kind)
        items: list[Any] = []
        token: str | None = None
        while True:
            request = requests.list_page(
                target,
                label_selector=label_selector,
                field_selector=field_selector,
                limit_count=chunk_count,
                continue_token=token,
            )
            try:
                page = _decode(_pages, await self._transport.send(request), request)
            except errors.Gone:
                if token is None:
                    raise
                items, token, chunk_count = [], None, 0
                continue
            items += [_apply(decode, item, request) for item in page.items or ()]
            token = page.metadata.continue_
            if not token:
                return ObjectList(items, page.metadata.resource_version)

    @overload
    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        bookmarks: bool = True,
        timeout_ms: int = WATCH_TIMEOUT_MS,
        on_open: Callable[[], None] | None = None,
    ) -> AsyncGenerator[WatchEvent[Manifest], None]: ...

    @overload
    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        bookmarks: bool = True,
        timeout_ms: int = WATCH_TIMEOUT_MS,
        on_open: Callable[[], None] | None = None,
        decode: Decoder[ObjectT],
    ) -> AsyncGenerator[WatchEvent[ObjectT], None]: ...

    async def watch(  # noqa: PLR0913 - the parameters of the API's own watch
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
        bookmarks: bool = True,
        timeout_ms: int = WATCH_TIMEOUT_MS,
        on_open: Callable[[], None] | None = None,
        decode: Decoder[Any] | None = None,
    ) -> AsyncGenerator[WatchEvent[Any], None]:
        """Yield the changes since a version, until the server ends the watch after `timeout_ms`.

        Whoever leaves the loop early wraps it in `contextlib.aclosing`. `on_open` is called once
        the server has agreed.

        Raises:
            Gone: the version is too old: list again.
            Unavailable: the connection broke, was half-open, or the server is in trouble.
        """
        request = requests.watch(
            Target(kind, namespace=namespace),
            resource_version=resource_version,
            timeout_ms=timeout_ms,
            label_selector=label_selector,
            field_selector=field_selector,
            bookmarks=bookmarks,
        )
        decode = decode or manifest_decoder(kind)
        limit_ms = timeout_ms + _WATCH_GRACE_MS
        lines = self._transport.stream(request, limit_ms=limit_ms, on_open=on_open)
        async with contextlib.aclosing(lines):
            async for line in lines:
                if not line.strip():
                    continue
                event = _decode(_events, line, request)
                if event.type == "ERROR":
                    status = _decode(_statuses, event.object, request)
                    raise statuses.of_status(status, what=request.what)
                yield WatchEvent(event.type, _apply(decode, event.object, request))

    async def create(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        namespace: str | None = None,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        subresource: str | None = None,
        name: str | None = None,
    ) -> Manifest:
        """Create an object, or what a subresource of the object `name` makes (a pod's binding).

        Raises:
            AlreadyExists: there is one of that name.
        """
        target = _target_of(kind, body, namespace, name=name, subresource=subresource)
        options = WriteOptions(field_manager, dry_run)
        return await self._manifest(requests.create(target, body, options))

    async def replace(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        namespace: str | None = None,
        *,
        field_manager: str | None = None,
        dry_run: bool = False,
        subresource: str | None = None,
    ) -> Manifest:
        """Replace an object by `body`, whose `metadata.resourceVersion` is the precondition.

        Raises:
            Conflict: it has changed since.
        """
        target = _target_of(kind, body, namespace, subresource=subresource)
        options = WriteOptions(field_manager, dry_run)
        return await self._manifest(requests.replace(target, body, options))

    async def patch(  # noqa: PLR0913 - the parameters of the API's own patch
        self,
        kind: Kind,
        name: str,
        namespace: str | None,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        patch_type: PatchType = PatchType.MERGE,
        field_manager: str | None = None,
        force: bool = False,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Manifest:
        """Change parts of an object; a `metadata.resourceVersion` in the body is a precondition."""
        target = Target(kind, name, namespace, subresource)
        options = WriteOptions(field_manager, dry_run)
        request = requests.patch(target, body, patch_type, options, force=force)
        return await self._manifest(request)

    async def apply(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        namespace: str | None = None,
        *,
        field_manager: str,
        force: bool = False,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Manifest:
        """Apply on the server: own exactly the fields that `body` names.

        Raises:
            Conflict: another manager owns one of them, and `force` was not given.
        """
        target = _target_of(kind, body, namespace, subresource=subresource)
        typed = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
        options = WriteOptions(field_manager, dry_run)
        request = requests.patch(target, typed, PatchType.APPLY, options, force=force)
        return await self._manifest(request)

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation | str | None = None,
        grace_period_s: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        dry_run: bool = False,
    ) -> Manifest:
        """Delete an object; return it where it lives on for a while, else a Status.

        Raises:
            Conflict: the uid or the version is another.
        """
        options = DeleteOptions(propagation, grace_period_s, uid, resource_version, dry_run)
        return await self._manifest(requests.delete(Target(kind, name, namespace), options))

    async def scale(
        self,
        kind: Kind,
        name: str,
        namespace: str,
        replica_count: int,
        *,
        resource_version: str | None = None,
        field_manager: str | None = None,
        dry_run: bool = False,
    ) -> Manifest:
        """Set the number of replicas; return the Scale object."""
        request = requests.scale(
            Target(kind, name, namespace),
            replica_count,
            resource_version=resource_version,
            options=WriteOptions(field_manager, dry_run),
        )
        return await self._manifest(request)

    async def logs(
        self,
        name: str,
        namespace: str,
        *,
        container: str | None = None,
        follow: bool = False,
        previous: bool = False,
        tail_count: int | None = None,
        since_s: int | None = None,
        timestamps: bool = False,
    ) -> AsyncGenerator[str, None]:
        """Yield the lines that a container has written, and with `follow` those to come."""
        options = LogOptions(container, follow, previous, tail_count, since_s, timestamps)
        request = requests.logs(name, namespace, options)
        lines = self._transport.stream(request, limit_ms=None, keep_rest=True)
        async with contextlib.aclosing(lines):
            async for line in lines:
                yield line.decode(errors="replace")

    async def version(self) -> Manifest:
        """Return what the server says of itself under /version."""
        return await self._manifest(Request("GET", "/version", "get the server's version"))

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> bytes:
        """Send anything to a path (percent-encoded, from the server's root); return the body."""
        return await self._send(
            Request(
                method=method,
                path=path,
                what=f"{method} {path}",
                query=tuple(query),
                headers=tuple(headers),
                body=body,
            )
        )

    async def _manifest(self, request: Request) -> Manifest:
        return _decode(_objects, await self._send(request), request)

    async def _send(self, request: Request) -> bytes:
        if not request.is_read and not self._may_write():
            raise errors.Unavailable(f"cannot {request.what}: by now another may lead")
        return await self._transport.send(request)


_objects = msgspec.json.Decoder(dict[str, Any])


def _target_of(
    kind: Kind,
    body: Mapping[str, Any],
    namespace: str | None,
    *,
    name: str | None = None,
    subresource: str | None = None,
) -> Target:
    metadata = body.get("metadata") or {}
    return Target(
        kind, name or metadata.get("name"), namespace or metadata.get("namespace"), subresource
    )


def manifest_decoder(kind: Kind) -> Decoder[Manifest]:
    """Decode to plain JSON, with the type that the API server leaves out of the items of a list."""

    def decode(raw: msgspec.Raw) -> Manifest:
        manifest = _objects.decode(raw)
        if "kind" in manifest:
            return manifest
        return {"apiVersion": kind.api_version, "kind": kind.kind, **manifest}

    return decode


def _decode(decoder: msgspec.json.Decoder[ObjectT], data: Any, request: Request) -> ObjectT:
    return _apply(decoder.decode, data, request)


def _apply(decode: Callable[[Any], ObjectT], data: Any, request: Request) -> ObjectT:
    try:
        return decode(data)
    except msgspec.DecodeError as e:
        words = f"cannot {request.what}: the answer is not what a Kubernetes API server sends: {e}"
        raise errors.Unavailable(f"{words}; is the server's address right?") from e
