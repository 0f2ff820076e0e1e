"""The API server as a synchronous object: no input or output, no clock.

Each call does what one request does on Kubernetes 1.36 and raises a `serinus.errors.ClusterError`
with Kubernetes' code and wording where that would answer with a Status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from serinus.clock import Instant
from serinus.kubernetes_model.kinds import KINDS, Resource
from serinus.kubernetes_model.requests import (
    Change,
    DeleteOptions,
    Object,
    ObjectList,
    PatchType,
    WriteOptions,
    Written,
)
from serinus.kubernetes_model.store import Store

LOG_LENGTH = 20_000
"""How many changes a watcher may lie behind before it has to list again."""

DEFAULT_WRITE = WriteOptions()
DEFAULT_DELETE = DeleteOptions()


class Cluster:
    """Hold the objects of one cluster and apply Kubernetes' rules to each write."""

    def __init__(
        self,
        *,
        new_id: Callable[[], str],
        kinds: Sequence[Resource] = KINDS,
        start_version: int = 1,
    ) -> None:
        self._new_id = new_id
        self._kinds = tuple(kinds)
        self._store = Store(start_version, LOG_LENGTH)

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Return what is served: the built-in kinds, then those of the CRDs."""
        return self._kinds

    @property
    def resource_version(self) -> int:
        """Return the version of the latest change."""
        return self._store.version

    @property
    def on_change(self) -> list[Callable[[Change], None]]:
        """Return the list of callbacks that are told each committed change, in order."""
        return self._store.listeners

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """Return one object. It is shared: do not change it."""
        raise NotImplementedError

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int | None = None,
        continue_token: str | None = None,
    ) -> ObjectList:
        """Return one page of objects, of all namespaces when none is given."""
        raise NotImplementedError

    def create(
        self,
        resource: Resource,
        body: Object,
        namespace: str | None = None,
        *,
        now: Instant,
        options: WriteOptions = DEFAULT_WRITE,
        subresource: str | None = None,
        name: str | None = None,
    ) -> Written:
        """Create an object; `name` and `subresource` for `binding` and `eviction`."""
        raise NotImplementedError

    def replace(
        self,
        resource: Resource,
        name: str,
        body: Object,
        namespace: str | None = None,
        *,
        now: Instant,
        options: WriteOptions = DEFAULT_WRITE,
        subresource: str | None = None,
    ) -> Written:
        """Replace an object, or one of its subresources (`status`, `scale`)."""
        raise NotImplementedError

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        patch_type: PatchType,
        now: Instant,
        options: WriteOptions = DEFAULT_WRITE,
        subresource: str | None = None,
    ) -> Written:
        """Change an object by a patch; an apply patch may create it."""
        raise NotImplementedError

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        now: Instant,
        options: DeleteOptions = DEFAULT_DELETE,
    ) -> Written:
        """Delete an object, or mark it while finalizers or grace keep it."""
        raise NotImplementedError

    def delete_collection(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        now: Instant,
        options: DeleteOptions = DEFAULT_DELETE,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> ObjectList:
        """Delete all that match; return them as they were left."""
        raise NotImplementedError

    def changes_since(self, resource: Resource | None, version: int) -> Sequence[Change]:
        """Return the changes after a version, oldest first.

        Raises:
            Gone: the log no longer reaches back that far.
        """
        return self._store.changes_since(resource, version)

    def snapshot(self) -> tuple[Sequence[Object], int]:
        """Return every object as stored, and the version of the latest change."""
        return list(self._store.everything()), self._store.version

    def restore(self, objects: Iterable[Object], version: int) -> None:
        """Take over what `snapshot` returned, in place of everything held."""
        raise NotImplementedError
