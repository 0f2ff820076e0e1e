"""How an answer is said: plain objects, metadata only, tables; JSON or YAML."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from serinus import errors
from serinus.kubernetes_model import Object
from serinus.local_cluster.server.serving.call import JSON, YAML, Call, Reply


class Form(enum.Enum):
    """What the caller wants to see of an object."""

    OBJECT = ""
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"


class Wish(msgspec.Struct, frozen=True):
    """What the Accept header asks for."""

    form: Form = Form.OBJECT
    yaml: bool = False


_PLAIN = Wish()
_FORMS = {form.value: form for form in Form}
_ANY_JSON = frozenset({JSON, "*/*", "application/*"})


def wish_of(headers: Mapping[str, str]) -> Wish:
    """Return the first wish that can be met.

    Raises:
        Invalid: none can be met.
    """
    accept = headers.get("accept", "")
    if not accept or accept in _ANY_JSON:
        return _PLAIN
    for entry in accept.split(","):
        media, *rest = (part.strip() for part in entry.split(";"))
        if media not in _ANY_JSON and media not in {YAML, "text/yaml", "application/x-yaml"}:
            continue
        parameters = dict(part.partition("=")[::2] for part in rest)
        form = _FORMS.get(parameters.get("as", ""))
        if form is None or (form is not Form.OBJECT and parameters.get("v") != "v1"):
            continue
        return Wish(form, yaml="yaml" in media)
    raise errors.Invalid(
        "only the following media types are accepted: application/json, application/yaml",
        code=406,
        details={},
    )


def metadata_only(item: Object) -> Object:
    """Return the part of an object that every kind has."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": item["metadata"],
    }


def encoded(document: Any, call: Call, status: int = 200) -> Reply:
    """Return an answer with a document, in YAML where that is asked for."""
    if wish_of(call.headers).yaml:
        return as_yaml(msgspec.json.encode(document), status)
    return Reply(msgspec.json.encode(document), status)


def as_yaml(body: bytes, status: int = 200) -> Reply:
    """Return an answer that says a JSON body as YAML."""
    document = msgspec.json.decode(body)
    text = yaml.dump(document, sort_keys=True, allow_unicode=True, Dumper=yaml.CSafeDumper)
    return Reply(text.encode(), status, YAML)
