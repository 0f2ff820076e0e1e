"""Lists: selectors, pages and their tokens."""

from __future__ import annotations

import binascii
from typing import Any

import msgspec

from serinus import errors
from serinus.kubernetes_model import failures, selectors
from serinus.kubernetes_model.kinds import Resource
from serinus.kubernetes_model.requests import Object, ObjectList
from serinus.kubernetes_model.store import Store


class Query(msgspec.Struct, frozen=True):
    """Which objects a list, a watch or a delete of many is about."""

    labels: selectors.LabelSelector | None = None
    fields: selectors.LabelSelector | None = None

    def matches(self, kind: str, item: Object) -> bool:
        """Tell whether an object is among those asked for."""
        if self.labels is not None and not self.labels.matches(item["metadata"].get("labels")):
            return False
        return self.fields is None or self.fields.matches(selectors.fields_of(kind, item))


def query(resource: Resource, label_selector: str | None, field_selector: str | None) -> Query:
    """Return the query that two selectors say.

    Raises:
        Invalid: a selector cannot be parsed, or names a field that this kind cannot be selected by.
    """
    labels = selectors.parse_labels(label_selector) if label_selector else None
    fields = selectors.parse_fields(field_selector) if field_selector else None
    if fields is not None:
        for requirement in fields.requirements:
            if problem := selectors.field_problem(resource.kind, requirement.key):
                raise failures.bad_request(problem)
    return Query(labels, fields)


def page(
    store: Store,
    resource: Resource,
    namespace: str | None,
    asked: Query,
    *,
    limit: int | None,
    token: str | None,
) -> ObjectList:
    """Return one page of a list.

    Raises:
        Gone: the list that the token continues is too old.
    """
    after, version = _read_token(token, store) if token else ("", store.version)
    items: list[Object] = []
    last, more = "", 0
    kind = resource.kind
    everything = asked.labels is None and asked.fields is None
    for key, item in store.objects_at(resource, namespace, version):
        if after and key <= after:
            continue
        if not everything and not asked.matches(kind, item):
            continue
        if limit and len(items) >= limit:
            more += 1
            continue
        items.append(item)
        last = key
    if not more:
        return ObjectList(items, str(version))
    continued = msgspec.json.encode({"v": "meta.k8s.io/v1", "rv": version, "start": last})
    encoded = binascii.b2a_base64(continued, newline=False).decode()
    return ObjectList(items, str(version), encoded, more if everything else None)


def _read_token(token: str, store: Store) -> tuple[str, int]:
    try:
        content: dict[str, Any] = msgspec.json.decode(binascii.a2b_base64(token))
        after, version = str(content["start"]), int(content["rv"])
    except (binascii.Error, msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise failures.bad_request(f"continue key is not valid: {error}") from error
    if not store.remembers(version):
        raise errors.Gone(
            "The provided continue parameter is too old to display a consistent list result. You "
            "can start a new list without the continue parameter.",
            code=410,
        )
    return after, version
