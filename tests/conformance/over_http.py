"""A cluster behind HTTPS: real Kubernetes, or the local server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from serinus.errors import ClusterError, NotFound, Unavailable
from serinus.kube import kinds, requests
from serinus.kube.client import Client, WatchEvent
from serinus.kube.kinds import Kind
from serinus.kube.requests import DeleteOptions, PatchType, Target
from tests.conformance.cluster import (
    Event,
    FieldValidation,
    Object,
    Page,
    PatchKind,
    Propagation,
)
from tests.conformance.pods import InstantPods

T = TypeVar("T")
_POLL_MS = 25
_PATCH_TYPES = {"json": PatchType.JSON, "merge": PatchType.MERGE, "strategic": PatchType.STRATEGIC}


_POLICIES = {
    "mutatingadmissionpolicies": "MutatingAdmissionPolicy",
    "mutatingadmissionpolicybindings": "MutatingAdmissionPolicyBinding",
    "validatingadmissionpolicies": "ValidatingAdmissionPolicy",
    "validatingadmissionpolicybindings": "ValidatingAdmissionPolicyBinding",
}


def _by_plural() -> dict[str, Kind]:
    found = [kind for kind in vars(kinds).values() if isinstance(kind, Kind)]
    found.append(Kind("", "v1", "ResourceQuota", "resourcequotas"))
    return {kind.plural: kind for kind in found}


_KINDS = _by_plural()


async def policy_kinds(client: Client) -> list[Kind]:
    """Return the kinds of admission policies at the version that the server has them in."""
    # Mutating ones are beta in 1.34 and 1.35, validating ones are v1 since 1.30.
    minor = int((await client.version())["minor"].rstrip("+"))
    return [
        Kind(
            "admissionregistration.k8s.io",
            "v1beta1" if plural.startswith("mutating") and minor < 36 else "v1",
            name,
            plural,
            namespaced=False,
        )
        for plural, name in _POLICIES.items()
    ]


class HttpCluster:
    """The port over `serinus.kube.Client`."""

    def __init__(
        self, client: Client, namespace: str, warnings: list[str], more: Sequence[Kind] = ()
    ) -> None:
        self._client = client
        self._watches: list[_HttpWatch] = []
        self._kinds = _KINDS | {kind.plural: kind for kind in more}
        self._definitions: list[str] = []
        self.namespace = namespace
        self.warnings = warnings
        self.pods = InstantPods(self)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def get(
        self, kind: str, name: str, *, namespace: str | None = None, subresource: str | None = None
    ) -> Object:
        where = self._where(kind, namespace)
        return await self._client.get(self._kinds[kind], name, where, subresource=subresource)

    async def list(
        self,
        kind: str,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        continue_token: str | None = None,
    ) -> Page:
        # The client joins all pages; a case about pages needs each by itself.
        path = Target(self._kinds[kind], namespace=self._where(kind, namespace)).path
        query = {
            "labelSelector": labels,
            "fieldSelector": fields,
            "limit": None if limit is None else str(limit),
            "continue": continue_token,
        }
        answer = await self._raw("GET", path, query)
        metadata = answer["metadata"]
        return Page(
            answer["items"] or [],
            metadata["resourceVersion"],
            metadata.get("continue"),
            metadata.get("remainingItemCount"),
        )

    async def create(
        self,
        kind: str,
        body: Object,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        field_manager: str | None = None,
        field_validation: FieldValidation | None = None,
        dry_run: bool = False,
    ) -> Object:
        where = self._where(kind, namespace)
        if field_validation is not None:
            path = Target(self._kinds[kind], namespace=where).path
            return await self._validated("POST", path, body, field_validation)
        return await self._client.create(
            self._kinds[kind],
            body,
            where,
            name=name,
            subresource=subresource,
            field_manager=field_manager,
            dry_run=dry_run,
        )

    async def replace(
        self,
        kind: str,
        body: Object,
        *,
        subresource: str | None = None,
        field_manager: str | None = None,
        field_validation: FieldValidation | None = None,
        dry_run: bool = False,
    ) -> Object:
        where = self._where(kind, None)
        if field_validation is not None:
            path = Target(self._kinds[kind], body["metadata"]["name"], where, subresource).path
            return await self._validated("PUT", path, body, field_validation)
        return await self._client.replace(
            self._kinds[kind],
            body,
            where,
            subresource=subresource,
            field_manager=field_manager,
            dry_run=dry_run,
        )

    async def patch(
        self,
        kind: str,
        name: str,
        body: Any,
        *,
        type: PatchKind = "merge",  # noqa: A002 - Kubernetes' own word
        namespace: str | None = None,
        subresource: str | None = None,
        field_manager: str | None = None,
        field_validation: FieldValidation | None = None,
        dry_run: bool = False,
    ) -> Object:
        where = self._where(kind, namespace)
        if field_validation is not None:
            path = Target(self._kinds[kind], name, where, subresource).path
            media = _PATCH_TYPES[type].value
            return await self._validated("PATCH", path, body, field_validation, media)
        return await self._client.patch(
            self._kinds[kind],
            name,
            where,
            body,
            patch_type=_PATCH_TYPES[type],
            subresource=subresource,
            field_manager=field_manager,
            dry_run=dry_run,
        )

    async def apply(
        self,
        kind: str,
        body: Object,
        *,
        manager: str,
        force: bool = False,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        return await self._client.apply(
            self._kinds[kind],
            body,
            self._where(kind, None),
            field_manager=manager,
            force=force,
            subresource=subresource,
            dry_run=dry_run,
        )

    async def delete(
        self,
        kind: str,
        name: str,
        *,
        namespace: str | None = None,
        propagation: Propagation | None = None,
        grace_seconds: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        return await self._client.delete(
            self._kinds[kind],
            name,
            self._where(kind, namespace),
            propagation=propagation,
            grace_period_s=grace_seconds,
            uid=uid,
            resource_version=resource_version,
            dry_run=dry_run,
        )

    async def delete_collection(
        self, kind: str, *, labels: str | None = None, grace_seconds: int | None = None
    ) -> None:
        path = Target(self._kinds[kind], namespace=self._where(kind, None)).path
        body = DeleteOptions(grace_period_s=grace_seconds).body()
        await self._raw("DELETE", path, {"labelSelector": labels}, body=body)

    def watch(
        self,
        kind: str,
        *,
        from_version: str,
        labels: str | None = None,
        fields: str | None = None,
        initial_events: bool = False,
    ) -> _HttpWatch:
        if initial_events:
            events = self._watch_list(kind, from_version)
        else:
            events = self._client.watch(
                self._kinds[kind],
                self._where(kind, None),
                resource_version=from_version,
                label_selector=labels,
                field_selector=fields,
            )
        watch = _HttpWatch(events)
        self._watches.append(watch)
        return watch

    async def _watch_list(
        self, kind: str, from_version: str
    ) -> AsyncGenerator[WatchEvent[Object], None]:
        """Watch as client-go does since 1.35; our own client still lists before it watches."""
        target = Target(self._kinds[kind], namespace=self._where(kind, None))
        request = requests.watch(target, resource_version=from_version, timeout_ms=60_000)
        more = (("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan"))
        request = msgspec.structs.replace(request, query=(*request.query, *more))
        async for line in self._client._transport.stream(request, limit_ms=60_000):
            event = json.loads(line)
            yield WatchEvent(event["type"], event["object"])

    async def define(self, definition: Object) -> None:
        spec, name = definition["spec"], definition["metadata"]["name"]
        await self._client.create(kinds.CUSTOM_RESOURCE_DEFINITIONS, definition)
        self._definitions.append(name)
        names = spec["names"]
        self._kinds[names["plural"]] = Kind(
            group=spec["group"],
            version=spec["versions"][0]["name"],
            kind=names["kind"],
            plural=names["plural"],
            namespaced=spec["scope"] == "Namespaced",
        )

        async def served() -> None:
            found = await self._client.get(kinds.CUSTOM_RESOURCE_DEFINITIONS, name)
            conditions = {c["type"]: c["status"] for c in found["status"].get("conditions") or []}
            assert conditions.get("Established") == "True", found["status"]
            try:
                await self.list(names["plural"])
            except Unavailable as error:
                # Established or not, the first answers may be "storage is (re)initializing".
                raise AssertionError(str(error)) from error

        await self.eventually(served)

    async def eventually(
        self, condition: Callable[[], Awaitable[T]], *, deadline_ms: int = 15_000
    ) -> T:
        deadline = time.monotonic() + deadline_ms / 1000
        while True:
            await self.pods.step()
            try:
                return await condition()
            except (AssertionError, NotFound):
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_POLL_MS / 1000)

    async def steadily(
        self, condition: Callable[[], Awaitable[object]], *, for_ms: int = 1_000
    ) -> None:
        deadline = time.monotonic() + for_ms / 1000
        while time.monotonic() < deadline:
            await self.pods.step()
            await condition()
            await asyncio.sleep(_POLL_MS / 1000)

    async def close(self) -> None:
        """End the watches; leave the namespace to the namespace controller."""
        for watch in self._watches:
            await watch.close()
        for name in self._definitions:
            with contextlib.suppress(NotFound):
                await self._client.delete(kinds.CUSTOM_RESOURCE_DEFINITIONS, name)
        with contextlib.suppress(ClusterError):
            await self._client.delete(kinds.NAMESPACES, self.namespace)
            # No kubelet answers for the pods that are bound.
            await self.delete_collection("pods", grace_seconds=0)

    def _where(self, kind: str, namespace: str | None) -> str | None:
        return (namespace or self.namespace) if self._kinds[kind].namespaced else None

    async def _validated(
        self, method: str, path: str, body: Any, validation: FieldValidation, media: str = ""
    ) -> Object:
        return await self._raw(
            method, path, {"fieldValidation": validation}, body=body, media=media
        )

    async def _raw(
        self,
        method: str,
        path: str,
        query: dict[str, str | None],
        *,
        body: Any = None,
        media: str = "",
    ) -> Object:
        answer = await self._client.raw(
            method,
            path,
            query=[(key, value) for key, value in query.items() if value is not None],
            headers=[("Content-Type", media or "application/json")],
            body=b"" if body is None else json.dumps(body).encode(),
        )
        decoded: Object = json.loads(answer)
        return decoded


class _HttpWatch:
    """A watch whose events are read by a task of their own, so that waiting may be given up."""

    def __init__(self, events: Any) -> None:
        self._events: asyncio.Queue[Event | ClusterError] = asyncio.Queue()
        self._task = asyncio.create_task(self._pump(events))

    async def next(self, deadline_ms: int = 5_000) -> Event:
        try:
            event = await asyncio.wait_for(self._events.get(), deadline_ms / 1000)
        except TimeoutError:
            raise AssertionError(f"no event within {deadline_ms} ms") from None
        if isinstance(event, ClusterError):
            raise event
        return event

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _pump(self, events: Any) -> None:
        try:
            async with contextlib.aclosing(events):
                event: WatchEvent[Object]
                async for event in events:
                    self._events.put_nowait(Event(event.type, event.object))
        except ClusterError as error:
            self._events.put_nowait(error)
