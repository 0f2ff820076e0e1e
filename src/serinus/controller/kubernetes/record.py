"""The record of a release where no operator runs: a ConfigMap with exactly the CanaryRelease."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.api import codec
from serinus.api.codec import Release
from serinus.errors import InvalidInput
from serinus.traffic.naming import shorten

RECORD_LABEL = "serinus.dev/record"
RECORD_SELECTOR = f"{RECORD_LABEL}=release"
DATA_KEY = "canaryrelease.json"
NAME_MAX = 63


def record_name(name: str) -> str:
    """Return the name that the ConfigMap and the Lease of a release share."""
    return shorten(f"serinus-{name}", NAME_MAX)


def to_config_map(release: Release, version: str | None = None) -> dict[str, Any]:
    """Return the ConfigMap of a release; `version` is the precondition of a replace."""
    metadata: dict[str, Any] = {
        "name": record_name(release.name),
        "namespace": release.namespace,
        "labels": {RECORD_LABEL: "release"},
    }
    if version is not None:
        metadata["resourceVersion"] = version
    body = msgspec.json.format(msgspec.json.encode(codec.encode(release)), indent=2).decode()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {DATA_KEY: body},
    }


def is_record(found: Mapping[str, Any]) -> bool:
    """Tell whether a ConfigMap is the record of a release, by its label."""
    return (found["metadata"].get("labels") or {}).get(RECORD_LABEL) == "release"


def from_config_map(found: Mapping[str, Any]) -> Release:
    """Return the release that a ConfigMap records.

    Raises:
        InvalidInput: somebody else's ConfigMap, or a record of another version of serinus.
    """
    source = f"ConfigMap {found['metadata']['namespace']}/{found['metadata']['name']}"
    text = (found.get("data") or {}).get(DATA_KEY)
    if text is None:
        raise InvalidInput(source, [f"data[{DATA_KEY!r}]: missing; it is no record of serinus"])
    try:
        body = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidInput(source, [f"data[{DATA_KEY!r}]: {error}"]) from error
    return codec.decode(body, source=source)
