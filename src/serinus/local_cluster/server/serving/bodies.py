"""What the bytes of a request say: JSON, YAML or the protobuf of Kubernetes' own clients."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import yaml

from serinus import errors
from serinus.kubernetes_model import Object, PatchType, failures
from serinus.local_cluster.server.protobuf import decode
from serinus.local_cluster.server.serving.call import JSON, Call

_YAML = frozenset({"application/yaml", "text/yaml", "application/x-yaml"})
PROTOBUF = "application/vnd.kubernetes.protobuf"
_PATCH_TYPES = {kind.value: kind for kind in PatchType}


def media_type(call: Call) -> str:
    """Return the content type without its parameters."""
    return call.headers.get("content-type", "").partition(";")[0].strip().lower()


def manifest(call: Call) -> Object:
    """Return the object that a request carries.

    Raises:
        Invalid: it is no object, or in a form that is not known here.
    """
    media = media_type(call)
    if media == PROTOBUF:
        return decode.manifest(call.body)
    if media not in {"", JSON} and media not in _YAML:
        raise failures.unsupported_media_type(
            f"the body of the request was in an unknown format ({media}) - accepted media types "
            "include: application/json, application/yaml, application/vnd.kubernetes.protobuf"
        )
    document = _yaml(call.body) if media in _YAML else _json(call.body)
    if not isinstance(document, dict):
        raise failures.bad_request("the body of the request is not a Kubernetes object")
    return document


def options(call: Call) -> dict[str, Any]:
    """Return the DeleteOptions that a request may carry."""
    return manifest(call) if call.body else {}


def patch(call: Call) -> tuple[PatchType, Any]:
    """Return the patch that a request carries, and its type.

    Raises:
        Invalid: it cannot be read, or is of an unknown type.
    """
    media = media_type(call)
    kind = _PATCH_TYPES.get(media)
    if kind is None:
        known = ", ".join(_PATCH_TYPES)
        raise failures.unsupported_media_type(
            f"the body of the request was in an unknown format ({media}) - accepted media types "
            f"include: {known}"
        )
    if kind is not PatchType.APPLY:
        return kind, _json(call.body)
    try:
        # What clients send as YAML is mostly JSON, which is read twenty times as fast.
        return kind, msgspec.json.decode(call.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return kind, _yaml(call.body)


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise failures.bad_request(f"the body of the request is not JSON: {e}") from e


class _Loader(yaml.CSafeLoader):
    """Read YAML as Go's reader does where Python's differs: dates and 12:30:45 stay strings."""


_FLOAT, _INT, _TIME = (f"tag:yaml.org,2002:{name}" for name in ("float", "int", "timestamp"))
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIME]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor(_INT, lambda loader, node: _number(loader, node, _INT))
_Loader.add_constructor(_FLOAT, lambda loader, node: _number(loader, node, _FLOAT))


def _number(loader: Any, node: Any, tag: str) -> Any:
    if _SEXAGESIMAL.fullmatch(node.value):
        return node.value
    return loader.construct_yaml_int(node) if tag == _INT else loader.construct_yaml_float(node)


def _yaml(body: bytes) -> Any:
    try:
        # Through JSON: keys become strings, and what JSON cannot say is refused.
        document = yaml.load(body, Loader=_Loader)  # noqa: S506  (it is a safe loader)
        return msgspec.json.decode(msgspec.json.encode(document))
    except (yaml.YAMLError, RecursionError, TypeError, ValueError, msgspec.MsgspecError) as e:
        raise errors.Invalid(f"error converting YAML to JSON: {e}", code=400, details={}) from e
