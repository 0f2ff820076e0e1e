"""The wire types as structural schemas, the form of JSON schema that the API server takes.

A structural schema has no references, no titles, no null and no closed objects: what it does not
know is pruned (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources).
"""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api import v1alpha1
from serinus.install.status_words import WORDS
from serinus.release.model import Status

Schema = dict[str, Any]

_REF = "#/$defs/"
_DATE_TIME: Schema = {"type": "string", "format": "date-time"}
# A status is written by the controller alone, and a newer one may say words that an older
# definition does not know: no enum stands in its way. Nor is anything filled in.
_NOT_IN_STATUS = ("enum", "default", "description")


def release() -> Schema:
    """Return the schema of a CanaryRelease."""
    spec = inlined(msgspec.json.schema(v1alpha1.CanaryRelease))["properties"]["spec"]
    return {
        "description": "The canary releases of one Deployment: how each new template of it is "
        "tried on a share of the traffic.",
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status(),
        },
        "required": ["spec"],
    }


def status() -> Schema:
    """Return the schema of what the codec writes as status, and of what the controller adds."""
    schema = _as_written(inlined(msgspec.json.schema(Status)))
    more = {
        "conditions": _conditions(),
        "observedGeneration": {"type": "integer", "format": "int64"},
        "inForceWeight": {"type": "number"},
    }
    words = "Where the release stands: only what the cluster itself does not show."
    fields = _described(schema, "")["properties"]
    fields |= {name: {"description": WORDS[name], **field} for name, field in more.items()}
    return {"description": words, "type": "object", "properties": fields}


def wire_name(name: str) -> str:
    """Return how the codec calls a field of the model."""
    for unit, said in (("_ms", "_time"), ("_bp", "")):
        if name.endswith(unit):
            name = name.removesuffix(unit) + said
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def closed(schema: Schema) -> Schema:
    """Return the same schema as one that refuses unknown fields in place of pruning them."""
    made = dict(schema)
    if "properties" in schema:
        fields = schema["properties"]
        made["properties"] = {name: closed(field) for name, field in fields.items()}
        made["additionalProperties"] = False
    if "items" in schema:
        made["items"] = closed(schema["items"])
    return made


def inlined(document: Schema) -> Schema:
    """Return a JSON schema as a structural one."""
    # Defaults are tuples in Python; a manifest is plain JSON.
    document = msgspec.json.decode(msgspec.json.encode(document))
    definitions = document.pop("$defs")

    def inline(schema: Schema) -> Schema:
        schema = _without_null(schema)
        if "$ref" in schema:
            target = definitions[schema["$ref"].removeprefix(_REF)]
            own = {key: value for key, value in schema.items() if key != "$ref"}
            return inline(target | own)
        kept = {key: value for key, value in schema.items() if not _says_nothing(key, value)}
        if "enum" in kept:
            kept.setdefault("type", "string")
        if "properties" in kept:
            kept["properties"] = {k: inline(v) for k, v in kept["properties"].items()}
        for key in ("items", "additionalProperties"):
            if key in kept:
                kept[key] = inline(kept[key])
        return kept

    return inline(document)


def _says_nothing(key: str, value: Any) -> bool:
    # An object is closed by pruning; `additionalProperties` with a schema makes it a map.
    closes = key == "additionalProperties" and isinstance(value, bool)
    absent = key == "default" and value is None
    return key == "title" or closes or absent or (key == "required" and not value)


def _without_null(schema: Schema) -> Schema:
    """Return a union with null as what else it is; a whole number is a number, too."""
    if "anyOf" not in schema:
        return schema
    others = [s for s in schema["anyOf"] if s != {"type": "null"}]
    if {"type": "number"} in others:
        others = [s for s in others if s != {"type": "integer"}]
    (only,) = others
    return {**only, **{key: value for key, value in schema.items() if key != "anyOf"}}


def _as_written(schema: Schema) -> Schema:
    """Return a schema of the model as one of what the codec makes of it."""
    made = {key: value for key, value in schema.items() if key not in _NOT_IN_STATUS}
    if "items" in made:
        made["items"] = _as_written(made["items"])
        made["x-kubernetes-list-type"] = "atomic"
    if "properties" in made:
        made["properties"] = {
            wire_name(name): _unit(name, field) for name, field in made["properties"].items()
        }
    if "required" in made:
        made["required"] = [wire_name(name) for name in made["required"]]
    return made


def _unit(name: str, field: Schema) -> Schema:
    if name.endswith("_ms"):
        return dict(_DATE_TIME)
    return {"type": "number"} if name.endswith("_bp") else _as_written(field)


def _described(schema: Schema, path: str) -> Schema:
    made = dict(schema)
    if "items" in made:
        made["items"] = _described(made["items"], f"{path}[]")
    if "properties" in made:
        paths = {name: f"{path}.{name}".lstrip(".") for name in made["properties"]}
        made["properties"] = {
            name: {"description": WORDS[paths[name]], **_described(field, paths[name])}
            for name, field in made["properties"].items()
        }
    return made


def _conditions() -> Schema:
    """Return a list of metav1.Condition, with its rules (apimachinery 0.36, meta/v1/types.go)."""
    name = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    word = "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
    reason = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
    return {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "properties": {
                "type": {"type": "string", "maxLength": 316, "pattern": f"^{name}({word})$"},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
                "lastTransitionTime": dict(_DATE_TIME),
                "reason": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": f"^{reason}$",
                },
                "message": {"type": "string", "maxLength": 32768},
            },
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
        },
    }
