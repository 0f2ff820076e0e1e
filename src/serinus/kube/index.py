"""Find objects of a cache by what they say: a label, an owner, the name of a target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

ObjectT = TypeVar("ObjectT")
Keys = Callable[[ObjectT], Iterable[str]]
Name = tuple[str, str]
"""Namespace and name."""


class Index(Generic[ObjectT]):
    """The names of a cache's objects under each of the keys that `keys` returns for them."""

    def __init__(self, keys: Keys[ObjectT], find: Callable[[Name], ObjectT | None]) -> None:
        self._keys = keys
        self._find = find
        self._names: dict[tuple[str, str], set[Name]] = {}
        self._keys_of: dict[Name, tuple[str, ...]] = {}

    def get(self, namespace: str, key: str) -> list[ObjectT]:
        """Return the objects of a namespace under a key, ordered by name."""
        found = (self._find(name) for name in sorted(self._names.get((namespace, key), ())))
        return [one for one in found if one is not None]

    def count(self, namespace: str, key: str) -> int:
        """Return how many there are, without a look at them."""
        return len(self._names.get((namespace, key), ()))

    def put(self, name: Name, found: ObjectT) -> None:
        """Enter an object, in place of the one of that name."""
        self.drop(name)
        keys = tuple(dict.fromkeys(self._keys(found)))
        for key in keys:
            self._names.setdefault((name[0], key), set()).add(name)
        self._keys_of[name] = keys

    def drop(self, name: Name) -> None:
        """Forget the object of that name, if there is one."""
        for key in self._keys_of.pop(name, ()):
            under = self._names[name[0], key]
            under.discard(name)
            if not under:
                del self._names[name[0], key]


def pairs(labels: Mapping[str, str] | None) -> list[str]:
    """Return `key=value` for each label: the keys under which labelled objects are found."""
    return [f"{key}={value}" for key, value in (labels or {}).items()]
