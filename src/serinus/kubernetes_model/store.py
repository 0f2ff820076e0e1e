"""Objects by name, one counter of versions, and a bounded log of changes; no rule of Kubernetes.

A shelf holds the objects of one resource, a drawer those of one namespace. Objects are kept as they
are handed in and shared with every reader, so nobody may change one after it was put here.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.kinds import Resource
from serinus.kubernetes_model.requests import Change, ChangeType, Object

_Drawer = dict[str, Object]
_Shelf = dict[str, _Drawer]


class Store:
    """Keep objects, versions and the latest changes."""

    def __init__(self, start_version: int, log_length: int) -> None:
        self.version = start_version
        self.listeners: list[Callable[[Change], None]] = []
        self._shelves: dict[tuple[str, str], _Shelf] = {}
        self._log: collections.deque[Change] = collections.deque(maxlen=log_length)
        self._forgotten_version = start_version

    def take_over(self, other: Store) -> None:
        """Hold what another store holds by now, and remember what it remembers."""
        self.version = other.version
        self._shelves = {
            key: {space: dict(drawer) for space, drawer in shelf.items()}
            for key, shelf in other._shelves.items()
        }
        self._log = other._log.copy()
        self._forgotten_version = other._forgotten_version

    def get(self, resource: Resource, name: str, namespace: str | None) -> Object | None:
        """Return the object of that name, or None."""
        shelf = self._shelves.get(resource.storage_key)
        if shelf is None:
            return None
        drawer = shelf.get(namespace or "")
        return None if drawer is None else drawer.get(name)

    def objects(self, resource: Resource, namespace: str | None) -> Iterator[tuple[str, Object]]:
        """Yield (key, object) in the order of keys: by namespace, then by name."""
        shelf = self._shelves.get(resource.storage_key, {})
        spaces = sorted(shelf) if namespace is None else [namespace]
        for space in spaces:
            drawer = shelf.get(space, {})
            for name in sorted(drawer):
                yield f"{space}/{name}", drawer[name]

    def objects_at(
        self, resource: Resource, namespace: str | None, version: int
    ) -> Iterator[tuple[str, Object]]:
        """Yield what `objects` would have yielded at an earlier version that the log reaches."""
        if version >= self.version:
            yield from self.objects(resource, namespace)
            return
        then: dict[str, Object | None] = {}
        for change in reversed(self.changes_since(resource, version)):
            metadata = change.object["metadata"]
            space = metadata.get("namespace", "")
            if namespace is None or space == namespace:
                then[f"{space}/{metadata['name']}"] = change.previous
        known: dict[str, Object | None] = {**dict(self.objects(resource, namespace)), **then}
        for key in sorted(known):
            item = known[key]
            if item is not None:
                yield key, item

    def everything(self) -> Iterator[Object]:
        """Yield every object, shelf by shelf."""
        for shelf in self._shelves.values():
            for drawer in shelf.values():
                yield from drawer.values()

    def put(self, resource: Resource, item: Object, previous: Object | None) -> Object:
        """Commit an object under the next version and tell the listeners.

        `item` and its metadata must be the caller's own: the version is written into them.
        """
        self.version += 1
        metadata = item["metadata"]
        metadata["resourceVersion"] = str(self.version)
        shelf = self._shelves.setdefault(resource.storage_key, {})
        shelf.setdefault(metadata.get("namespace", ""), {})[metadata["name"]] = item
        kind = ChangeType.ADDED if previous is None else ChangeType.MODIFIED
        self._commit(Change(kind, resource, item, previous, self.version))
        return item

    def remove(self, resource: Resource, previous: Object) -> Object:
        """Take an object away; return it as it was, at the version of its removal."""
        self.version += 1
        metadata = previous["metadata"]
        shelf = self._shelves[resource.storage_key]
        drawer = shelf[metadata.get("namespace", "")]
        del drawer[metadata["name"]]
        if not drawer:
            del shelf[metadata.get("namespace", "")]
        last = {**previous, "metadata": {**metadata, "resourceVersion": str(self.version)}}
        self._commit(Change(ChangeType.DELETED, resource, last, previous, self.version))
        return last

    def restore(self, items: Iterable[tuple[Resource, Object]], version: int) -> None:
        """Take over objects as they are; earlier versions count as forgotten."""
        self._shelves.clear()
        self._log.clear()
        self.version = self._forgotten_version = version
        for resource, item in items:
            metadata = item["metadata"]
            shelf = self._shelves.setdefault(resource.storage_key, {})
            shelf.setdefault(metadata.get("namespace", ""), {})[metadata["name"]] = item

    def remembers(self, version: int) -> bool:
        """Tell whether the log reaches back to a version."""
        return version >= self._forgotten_version

    def changes_since(self, resource: Resource | None, version: int) -> list[Change]:
        """Return the changes after a version, oldest first.

        Raises:
            Gone: the log no longer reaches back that far.
        """
        if version < self._forgotten_version:
            raise failures.too_old(version, self._forgotten_version)
        found: list[Change] = []
        key = None if resource is None else resource.storage_key
        for change in reversed(self._log):
            if change.version <= version:
                break
            if key is None or change.resource.storage_key == key:
                found.append(change)
        found.reverse()
        return found

    def _commit(self, change: Change) -> None:
        if len(self._log) == self._log.maxlen:
            self._forgotten_version = self._log[0].version
        self._log.append(change)
        for listener in self.listeners:
            listener(change)
