"""Kubernetes Events as the controllers write them; a repeated one is counted, not written again."""

from __future__ import annotations

import xxhash

from serinus.clock import Instant
from serinus.kubernetes_model import timestamps
from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads.objects import (
    EVENT,
    Event,
    Kind,
    name_of,
    namespace_of,
    uid_of,
)


def event_object(regarding: tuple[Kind, Object], event: Event, now: Instant) -> Object:
    """Return the Event object; the same words about the same object give the same name."""
    kind, obj = regarding
    content = "\0".join((uid_of(obj), *event))
    digest = xxhash.xxh64_hexdigest(content.encode())
    text = timestamps.time(now)
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {
            "name": f"{name_of(obj)}.{digest}",
            "namespace": namespace_of(obj) or "default",
        },
        "involvedObject": {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "name": name_of(obj),
            "namespace": namespace_of(obj),
            "resourceVersion": obj["metadata"].get("resourceVersion", ""),
            "uid": uid_of(obj),
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
        "source": {"component": event.component},
        "reportingComponent": event.component,
        "reportingInstance": "",
        "firstTimestamp": text,
        "lastTimestamp": text,
        "eventTime": None,
        "count": 1,
    }


def repeated(known: Object, now: Instant) -> Object:
    """Return an Event that was seen once more."""
    count = int(known.get("count") or 0) + 1
    return {**known, "count": count, "lastTimestamp": timestamps.time(now)}
