"""ConfigMaps and Secrets that containers' environments refer to, read when a container starts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping

from serinus.kube import kinds
from serinus.kube.client import Client
from serinus.local_cluster.node.pods.environment import Lookup
from serinus.local_cluster.node.pods.spec import Container

_KINDS = {"ConfigMap": kinds.CONFIG_MAPS, "Secret": kinds.SECRETS}


async def read(client: Client, namespace: str, container: Container) -> Lookup:
    """Read all that a container refers to, and return how to look it up.

    Raises:
        ClusterError: the API server did not answer, or did not let us.
    """
    found: dict[tuple[str, str], Mapping[str, str]] = {}
    for kind, name in set(_referred(container)):
        manifest = await client.find(_KINDS[kind], name, namespace) if name else None
        if manifest is not None:
            data = manifest.get("data") or {}
            found[kind, name] = _plain(data) if kind == "Secret" else data
    return lambda kind, name: found.get((kind, name))


def _referred(container: Container) -> Iterator[tuple[str, str]]:
    for source in container.env_from or ():
        if source.config_map_ref is not None:
            yield "ConfigMap", source.config_map_ref.name
        if source.secret_ref is not None:
            yield "Secret", source.secret_ref.name
    for variable in container.env or ():
        if variable.value_from is None:
            continue
        if variable.value_from.config_map_key_ref is not None:
            yield "ConfigMap", variable.value_from.config_map_key_ref.name
        if variable.value_from.secret_key_ref is not None:
            yield "Secret", variable.value_from.secret_key_ref.name


def _plain(data: Mapping[str, str]) -> dict[str, str]:
    plain = {}
    for key, value in data.items():
        try:
            plain[key] = base64.b64decode(value).decode(errors="surrogateescape")
        except binascii.Error:
            continue
    return plain
