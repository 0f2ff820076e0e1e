"""Objects and pages of objects as answers: whole, metadata only, or as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from serinus.kubernetes_model import Object, ObjectList, Resource
from serinus.local_cluster.server.live_cluster import LiveCluster
from serinus.local_cluster.server.serving import answers
from serinus.local_cluster.server.serving.answers import Form
from serinus.local_cluster.server.serving.call import JSON, Call, Reply
from serinus.local_cluster.server.tables.render import Tables

_METADATA_LIST = "PartialObjectMetadataList"


class Presenter:
    """Say objects in the form that a call asks for."""

    def __init__(self, live: LiveCluster, tables: Tables) -> None:
        self._live = live
        self._tables = tables

    def one(
        self,
        call: Call,
        resource: Resource,
        item: Object,
        *,
        status: int = 200,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Reply:
        """Return an answer with one object."""
        wish = answers.wish_of(call.headers)
        if wish.form is Form.TABLE:
            body = msgspec.json.encode(self._table(call, resource, [item], item["metadata"]))
        elif wish.form is Form.METADATA:
            body = msgspec.json.encode(answers.metadata_only(item))
        elif item.get("kind") == resource.kind:
            body = self._live.body(resource, item)
        else:
            body = msgspec.json.encode(item)
        if wish.yaml:
            return answers.as_yaml(body, status)
        return Reply(body, status, JSON, headers)

    def page(self, call: Call, resource: Resource, page: ObjectList) -> Reply:
        """Return an answer with a list."""
        wish = answers.wish_of(call.headers)
        metadata: dict[str, Any] = {"resourceVersion": page.resource_version}
        if page.continue_token:
            metadata["continue"] = page.continue_token
            if page.remaining_item_count is not None:
                metadata["remainingItemCount"] = page.remaining_item_count
        if wish.form is Form.TABLE:
            body = msgspec.json.encode(self._table(call, resource, page.items, metadata))
        elif wish.form in {Form.METADATA, Form.METADATA_LIST}:
            items = [msgspec.json.encode(answers.metadata_only(item)) for item in page.items]
            body = _list(_METADATA_LIST, "meta.k8s.io/v1", metadata, items)
        else:
            items = [self._live.body(resource, item) for item in page.items]
            body = _list(resource.list_kind, resource.api_version, metadata, items)
        return answers.as_yaml(body) if wish.yaml else Reply(body)

    def _table(
        self, call: Call, resource: Resource, items: Sequence[Object], metadata: dict[str, Any]
    ) -> dict[str, Any]:
        version = metadata.get("resourceVersion", "")
        kept = {"resourceVersion": version}
        for key in ("continue", "remainingItemCount"):
            if key in metadata:
                kept[key] = metadata[key]
        kind = items[0].get("kind") if items else None
        return self._tables.table(
            self._tables.columns(resource, kind),
            items,
            kept,
            now=self._live.clock.now_ms(),
            include_object=call.query.get("includeObject") or "Metadata",
        )


def _list(kind: str, api_version: str, metadata: dict[str, Any], items: list[bytes]) -> bytes:
    head = msgspec.json.encode({"kind": kind, "apiVersion": api_version, "metadata": metadata})
    return b'%s,"items":[%s]}' % (head[:-1], b",".join(items))
