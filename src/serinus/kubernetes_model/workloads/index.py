"""What an informer's cache is to a controller: all live objects, found by what controllers ask for.

Kept from changes, one object at a time, so that a reconcile costs what it touches and not the size
of the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads.objects import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    POD,
    REPLICA_SET,
    SERVICE,
    Kind,
    controller_of,
    labels_of,
    name_of,
    namespace_of,
    owners_of,
    selector_of,
    uid_of,
)

_LABELLED = frozenset({POD, ENDPOINT_SLICE})
_SELECTING = frozenset({DEPLOYMENT, REPLICA_SET, SERVICE})
_CONTROLLED = frozenset({REPLICA_SET, POD})


class Index:
    """Answer the questions of `objects.Lookup` from the changes seen so far."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[Kind, str], dict[str, Object]] = {}
        self._kinds_in: dict[str, dict[Kind, None]] = {}
        # One bucket for each question, each bucket in the order in which objects came.
        self._buckets: dict[tuple[object, ...], dict[str, tuple[Kind, Object]]] = {}

    def take_over(self, other: Index) -> None:
        """Know all that another index knows by now."""
        self._by_name = {key: dict(names) for key, names in other._by_name.items()}
        self._kinds_in = {space: dict(kinds) for space, kinds in other._kinds_in.items()}
        self._buckets = {question: dict(found) for question, found in other._buckets.items()}

    def put(self, kind: Kind, obj: Object) -> Object | None:
        """Take in a created or changed object; return what was known under its name before."""
        namespace = namespace_of(obj)
        names = self._by_name.setdefault((kind, namespace), {})
        self._kinds_in.setdefault(namespace, {})[kind] = None
        before = names.get(name_of(obj))
        names[name_of(obj)] = obj
        old_questions = set() if before is None else set(_questions(kind, before))
        new_questions = set(_questions(kind, obj))
        for question in old_questions - new_questions:
            self._drop(question, before)
        for question in new_questions:
            self._buckets.setdefault(question, {})[uid_of(obj)] = (kind, obj)
        if before is not None and uid_of(before) != uid_of(obj):
            for question in old_questions & new_questions:
                self._drop(question, before)
        return before

    def remove(self, kind: Kind, obj: Object) -> Object | None:
        """Forget a deleted object; return what was known of it."""
        before = self._by_name.get((kind, namespace_of(obj)), {}).pop(name_of(obj), None)
        if before is not None:
            for question in set(_questions(kind, before)):
                self._drop(question, before)
        return before

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return the object, or None."""
        return self._by_name.get((kind, namespace), {}).get(name)

    def list(self, kind: Kind, namespace: str) -> Sequence[Object]:
        """Return all objects of a kind in one namespace."""
        return tuple(self._by_name.get((kind, namespace), {}).values())

    def by_uid(self, uid: str) -> tuple[Kind, Object] | None:
        """Return the live object with this uid."""
        return next(iter(self._bucket("uid", uid)), None)

    def controlled_by(self, kind: Kind, uid: str) -> Sequence[Object]:
        """Return the ReplicaSets or Pods whose controller reference names `uid`."""
        return [obj for _, obj in self._bucket("controller", kind, uid)]

    def uncontrolled(self, kind: Kind, namespace: str) -> Sequence[Object]:
        """Return the ReplicaSets or Pods of a namespace that have no controller reference."""
        return [obj for _, obj in self._bucket("uncontrolled", kind, namespace)]

    def labelled(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> Sequence[Object]:
        """Return the Pods or EndpointSlices that carry all of `labels` (at least one)."""
        buckets = [self._bucket("label", kind, namespace, *pair) for pair in labels.items()]
        smallest = min(buckets, key=len, default=())
        wanted = labels.items()
        return [obj for _, obj in smallest if wanted <= labels_of(obj).items()]

    def selecting(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> Sequence[Object]:
        """Return the Deployments, ReplicaSets or Services whose selector matches `labels`."""
        found = []
        for pair in (*labels.items(), None):
            for _, obj in self._bucket("selects", kind, namespace, pair):
                selector = selector_of(kind, obj)
                if selector.requirements and selector.matches(labels):
                    found.append(obj)
        return found

    def dependents(self, uid: str) -> Sequence[tuple[Kind, Object]]:
        """Return the objects of any kind that name `uid` among their owners."""
        return self._bucket("owner", uid)

    def namespaces_with(self, kind: Kind) -> Sequence[str]:
        """Return the namespaces in which there may be objects of a kind."""
        return [space for space, kinds in self._kinds_in.items() if kind in kinds]

    def contents(self, namespace: str) -> Sequence[tuple[Kind, Object]]:
        """Return everything that lives in a namespace."""
        return [
            (kind, obj)
            for kind in self._kinds_in.get(namespace, {})
            for obj in self._by_name[kind, namespace].values()
        ]

    def _bucket(self, *question: object) -> Sequence[tuple[Kind, Object]]:
        return tuple(self._buckets.get(question, {}).values())

    def _drop(self, question: tuple[object, ...], obj: Object | None) -> None:
        bucket = self._buckets.get(question)
        if bucket is None or obj is None:
            return
        bucket.pop(uid_of(obj), None)
        if not bucket:
            del self._buckets[question]


def _questions(kind: Kind, obj: Object) -> Iterator[tuple[object, ...]]:
    """Yield the questions to which this object is an answer."""
    namespace = namespace_of(obj)
    yield "uid", uid_of(obj)
    for owner in owners_of(obj):
        yield "owner", owner["uid"]
    if kind in _CONTROLLED:
        controller = controller_of(obj)
        if controller is None:
            yield "uncontrolled", kind, namespace
        else:
            yield "controller", kind, controller["uid"]
    if kind in _LABELLED:
        for pair in labels_of(obj).items():
            yield "label", kind, namespace, *pair
    if kind in _SELECTING:
        yield "selects", kind, namespace, _one_label(kind, obj)


def _one_label(kind: Kind, obj: Object) -> tuple[str, str] | None:
    """Return a label that whatever `obj` selects must carry; None when it names no such label."""
    selector = obj["spec"].get("selector") or {}
    wanted = selector if kind == SERVICE else selector.get("matchLabels") or {}
    return min(wanted.items(), default=None)
