"""The model of Kubernetes in this process, with a clock of its own."""

from __future__ import annotations

import collections
import itertools
import json
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from serinus import kubernetes_model as model
from serinus.errors import NotFound
from serinus.kubernetes_model import reads
from serinus.kubernetes_model.controllers import Controllers
from serinus.local_cluster.server import rules
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
_START_MS = 1_800_000_000_000
_IDLE_STEP_MS = 250
_PATCH_TYPES = {
    "json": model.PatchType.JSON,
    "merge": model.PatchType.MERGE,
    "strategic": model.PatchType.STRATEGIC,
}
_RESOURCES = {each.plural: each for each in reversed(model.KINDS)}


class ModelCluster:
    """The port over `serinus.kubernetes_model`.

    The controllers run, and the clock goes on, only while a case lets time pass.
    """

    def __init__(self, namespace: str = "case") -> None:
        numbers = itertools.count(1)
        self._model = model.Cluster(
            new_id=lambda: str(uuid.UUID(int=next(numbers), version=4)),
            evaluate=rules.evaluate,
        )
        self._controllers = Controllers(self._model)
        self._resources = dict(_RESOURCES)
        self._now = _START_MS
        self.namespace = namespace
        self.warnings: list[str] = []
        self.pods = InstantPods(self)
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        self._model.create(_RESOURCES["namespaces"], body, now=self._now)

    def now_ms(self) -> int:
        return self._now

    async def get(
        self, kind: str, name: str, *, namespace: str | None = None, subresource: str | None = None
    ) -> Object:
        where = self._where(kind, namespace)
        found = self._model.get(self._resources[kind], name, where, subresource=subresource)
        copied: Object = _copy(found)
        return copied

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
        found = self._model.list(
            self._resources[kind],
            self._where(kind, namespace),
            label_selector=labels,
            field_selector=fields,
            limit=limit,
            continue_token=continue_token,
        )
        return Page(
            _copy(found.items),
            found.resource_version,
            found.continue_token,
            found.remaining_item_count,
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
        return self._wrote(
            self._model.create(
                self._resources[kind],
                _typed(self._resources[kind], body),
                self._where(kind, namespace),
                now=self._now,
                name=name,
                subresource=subresource,
                options=_options(field_manager, field_validation, dry_run=dry_run),
            )
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
        return self._wrote(
            self._model.replace(
                self._resources[kind],
                body["metadata"]["name"],
                _typed(self._resources[kind], body),
                self._where(kind, None),
                now=self._now,
                subresource=subresource,
                options=_options(field_manager, field_validation, dry_run=dry_run),
            )
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
        return self._wrote(
            self._model.patch(
                self._resources[kind],
                name,
                _copy(body),
                self._where(kind, namespace),
                patch_type=_PATCH_TYPES[type],
                now=self._now,
                subresource=subresource,
                options=_options(field_manager, field_validation, dry_run=dry_run),
            )
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
        return self._wrote(
            self._model.patch(
                self._resources[kind],
                body["metadata"]["name"],
                _typed(self._resources[kind], body),
                self._where(kind, None),
                patch_type=model.PatchType.APPLY,
                now=self._now,
                subresource=subresource,
                options=model.WriteOptions(field_manager=manager, force=force, dry_run=dry_run),
            )
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
        options = model.DeleteOptions(
            propagation=None if propagation is None else model.Propagation(propagation),
            grace_seconds=grace_seconds,
            uid=uid,
            resource_version=resource_version,
            dry_run=dry_run,
        )
        where = self._where(kind, namespace)
        return self._wrote(
            self._model.delete(self._resources[kind], name, where, now=self._now, options=options)
        )

    async def delete_collection(self, kind: str, *, labels: str | None = None) -> None:
        where = self._where(kind, None)
        self._model.delete_collection(
            self._resources[kind], where, now=self._now, label_selector=labels
        )

    def watch(
        self,
        kind: str,
        *,
        from_version: str,
        labels: str | None = None,
        fields: str | None = None,
        initial_events: bool = False,
    ) -> _ModelWatch:
        assert not initial_events, "a case about initial events needs `answers`"
        asked = reads.query(self._resources[kind], labels, fields)
        return _ModelWatch(self, kind, int(from_version), asked)

    def changes(self, kind: str, version: int) -> Sequence[model.Change]:
        """Return what changed in the case's namespace after a version; 0: and what is there."""
        resource = self._resources[kind]
        if version == 0:
            there = self._model.list(resource, self._where(kind, None))
            return [
                model.Change(
                    model.ChangeType.ADDED,
                    resource,
                    item,
                    None,
                    int(item["metadata"]["resourceVersion"]),
                )
                for item in there.items
            ]
        return [
            change
            for change in self._model.changes_since(resource, version)
            if change.object["metadata"].get("namespace") == self._where(kind, None)
        ]

    async def define(self, definition: Object) -> None:
        resource = _RESOURCES["customresourcedefinitions"]
        self._model.create(resource, _copy(definition), now=self._now)
        self._controllers.run(self._now)
        spec = definition["spec"]
        found = self._model.resource(
            f"{spec['group']}/{spec['versions'][0]['name']}", spec["names"]["kind"]
        )
        assert found is not None, "the new kind is not served"
        self._resources[found.plural] = found

    async def eventually(
        self, condition: Callable[[], Awaitable[T]], *, deadline_ms: int = 15_000
    ) -> T:
        deadline = self._now + deadline_ms
        while True:
            wake_at = await self._work()
            try:
                return await condition()
            except (AssertionError, NotFound):
                if self._now >= deadline:
                    raise
            self._pass_time(wake_at, deadline)

    async def steadily(
        self, condition: Callable[[], Awaitable[object]], *, for_ms: int = 1_000
    ) -> None:
        deadline = self._now + for_ms
        while self._now < deadline:
            wake_at = await self._work()
            await condition()
            self._pass_time(wake_at, deadline)

    async def _work(self) -> int | None:
        """Run controllers and pods once; return when there is more to do."""
        before = self._model.resource_version
        self._controllers.run(self._now)
        await self.pods.step()
        wake_at = self._controllers.run(self._now)
        # Even two parts that undo each other's work for ever must meet the deadline.
        return self._now + 1 if self._model.resource_version != before else wake_at

    def _pass_time(self, wake_at: int | None, deadline: int) -> None:
        wanted = self._now + _IDLE_STEP_MS if wake_at is None else max(wake_at, self._now + 1)
        self._now = min(wanted, deadline)

    def _where(self, kind: str, namespace: str | None) -> str | None:
        return (namespace or self.namespace) if self._resources[kind].namespaced else None

    def _wrote(self, written: model.Written) -> Object:
        self.warnings.extend(written.warnings)
        left: Object = _copy(written.object)
        return left


class _ModelWatch:
    """A watch that looks at the log of changes when it is asked for the next event."""

    def __init__(self, cluster: ModelCluster, kind: str, version: int, asked: reads.Query) -> None:
        self._cluster, self._kind, self._version, self._asked = cluster, kind, version, asked
        self._waiting: collections.deque[Event] = collections.deque()

    async def next(self, deadline_ms: int = 5_000) -> Event:
        for change in () if self._waiting else self._cluster.changes(self._kind, self._version):
            self._version = change.version
            if event := self._event(change):
                self._waiting.append(event)
        if not self._waiting:
            raise AssertionError(f"no event within {deadline_ms} ms: nothing has changed")
        return self._waiting.popleft()

    def _event(self, change: model.Change) -> Event | None:
        """Return what a change is to one who sees a selection: objects come and go."""
        kind = change.resource.kind
        had = change.previous is not None and self._asked.matches(kind, change.previous)
        is_deletion = change.type is model.ChangeType.DELETED
        if not is_deletion and self._asked.matches(kind, change.object):
            return Event("MODIFIED" if had else "ADDED", _copy(change.object))
        if not had:
            return None
        last = _copy(change.previous)
        last["metadata"]["resourceVersion"] = str(change.version)
        return Event("DELETED", last)


def _options(
    manager: str | None, validation: FieldValidation | None, *, dry_run: bool
) -> model.WriteOptions:
    return model.WriteOptions(
        field_manager=manager or "serinus",
        field_validation=model.FieldValidation(validation or "Warn"),
        dry_run=dry_run,
    )


def _typed(resource: model.Resource, body: Object) -> Object:
    """Return a copy with the type that the client's callers may leave out."""
    return {"apiVersion": resource.api_version, "kind": resource.kind, **_copy(body)}


def _copy(value: Any) -> Any:
    """Copy by way of JSON, as HTTP does: what the model holds is not the case's to change."""
    return json.loads(json.dumps(value))
