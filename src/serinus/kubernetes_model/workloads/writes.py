"""The store that controllers see, made of an index for reads and a cluster for writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model.kinds import Resource
from serinus.kubernetes_model.requests import (
    Change,
    DeleteOptions,
    FieldValidation,
    Object,
    WriteOptions,
    Written,
)
from serinus.kubernetes_model.workloads import recording
from serinus.kubernetes_model.workloads.index import Index
from serinus.kubernetes_model.workloads.objects import (
    EVENT,
    NAMESPACE,
    Event,
    Kind,
    name_of,
    namespace_of,
)

FIELD_MANAGER = "kube-controller-manager"
_OPTIONS = WriteOptions(
    field_manager=FIELD_MANAGER,
    field_validation=FieldValidation.IGNORE,
    user="system:kube-controller-manager",
)


class Backend(Protocol):
    """The part of `cluster.Cluster` that controllers need."""

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """Return the served resource of a manifest's apiVersion and kind."""
        ...

    @property
    def on_change(self) -> list[Callable[[Change], None]]:
        """Return the list of callbacks that are told each change."""
        ...

    def snapshot(self) -> tuple[Sequence[Object], int]:
        """Return every object, and the latest version."""
        ...

    def create(
        self,
        resource: Resource,
        body: Object,
        namespace: str | None = None,
        *,
        now: Instant,
        options: WriteOptions = ...,
    ) -> Written:
        """Create an object."""
        ...

    def replace(
        self,
        resource: Resource,
        name: str,
        body: Object,
        namespace: str | None = None,
        *,
        now: Instant,
        options: WriteOptions = ...,
        subresource: str | None = None,
    ) -> Written:
        """Replace an object, or one of its subresources."""
        ...

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        now: Instant,
        options: DeleteOptions = ...,
    ) -> Written:
        """Delete an object."""
        ...


class Writes(Index):
    """Answer `objects.Objects`: reads from what was seen, writes to the cluster."""

    def __init__(self, backend: Backend, *, events: bool) -> None:
        super().__init__()
        self.now: Instant = 0
        self._backend = backend
        self._events = events

    def is_namespaced(self, kind: Kind) -> bool | None:
        """Say whether objects of a kind live in namespaces; None for a kind not served."""
        resource = self._backend.resource(*kind)
        return None if resource is None else resource.namespaced

    def resource_name(self, kind: Kind) -> str:
        """Return plural and group, joined by a dot even where the group is empty."""
        resource = self._backend.resource(*kind)
        return kind.kind if resource is None else f"{resource.plural}.{resource.group}"

    def create(self, kind: Kind, obj: Object) -> Object:
        """Create an object and return it as stored."""
        place = namespace_of(obj) or None
        return self._backend.create(
            self._resource(kind), obj, place, now=self.now, options=_OPTIONS
        ).object

    def update(self, kind: Kind, obj: Object) -> Object:
        """Replace all but the status, at the object's resourceVersion."""
        return self._replace(kind, obj, None)

    def update_status(self, kind: Kind, obj: Object) -> Object:
        """Replace the status."""
        return self._replace(kind, obj, "status")

    def finalize(self, namespace: Object) -> Object:
        """Replace a Namespace's `spec.finalizers`."""
        return self._replace(NAMESPACE, namespace, "finalize")

    def delete(self, kind: Kind, obj: Object, options: DeleteOptions) -> None:
        """Delete an object."""
        place = namespace_of(obj) or None
        resource = self._resource(kind)
        self._backend.delete(resource, name_of(obj), place, now=self.now, options=options)

    def record(self, regarding: tuple[Kind, Object], event: Event) -> None:
        """Write an Event; one that cannot be written is dropped, as it is anywhere."""
        if not self._events:
            return
        fresh = recording.event_object(regarding, event, self.now)
        known = self.get(EVENT, namespace_of(fresh), name_of(fresh))
        try:
            if known is None:
                self.create(EVENT, fresh)
            else:
                self.update(EVENT, recording.repeated(known, self.now))
        except errors.ClusterError:
            return

    def _replace(self, kind: Kind, obj: Object, subresource: str | None) -> Object:
        return self._backend.replace(
            self._resource(kind),
            name_of(obj),
            obj,
            namespace_of(obj) or None,
            now=self.now,
            options=_OPTIONS,
            subresource=subresource,
        ).object

    def _resource(self, kind: Kind) -> Resource:
        resource = self._backend.resource(*kind)
        if resource is None:
            raise errors.NotFound(f'no kind "{kind.kind}" in "{kind.api_version}" is served')
        return resource
