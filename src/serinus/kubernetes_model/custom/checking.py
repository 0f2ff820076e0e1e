"""Values against a structural schema, in Kubernetes' words (kube-openapi, pkg/validation)."""

from __future__ import annotations

import functools
import re
from typing import Any

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.failures import Problem

Schema = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def check(schema: Schema, value: Any, field: str = "") -> list[Problem]:
    """Return what is wrong with a value."""
    if value is None:
        return [] if schema.get("nullable") or not field else [_wrong_type(field, "null", schema)]
    if problem := _type_problem(schema, value, field):
        return [problem]
    problems = _check_choices(schema, value, field)
    if isinstance(value, str):
        problems += _check_text(schema, value, field)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        problems += _check_number(schema, value, field)
    elif isinstance(value, list):
        problems += _check_list(schema, value, field)
    elif isinstance(value, dict):
        problems += _check_object(schema, value, field)
    return problems + _check_combinations(schema, value, field)


def _type_problem(schema: Schema, value: Any, field: str) -> Problem | None:
    if schema.get("x-kubernetes-int-or-string"):
        fits = isinstance(value, (int, str)) and not isinstance(value, bool)
        return None if fits else _wrong_type(field, _name(value), {"type": "integer,string"})
    kind = schema.get("type")
    if kind is None:
        return None
    fits = isinstance(value, _TYPES[kind]) and not (isinstance(value, bool) and kind != "boolean")
    return None if fits else _wrong_type(field, _name(value), schema)


def _wrong_type(field: str, given: str, schema: Schema) -> Problem:
    words = f'{field} in body must be of type {schema.get("type", "")}: "{given}"'
    return Problem(field, "FieldValueTypeInvalid", given, words)


def _name(value: Any) -> str:
    for name in ("boolean", "string", "integer", "number", "array", "object"):
        if isinstance(value, _TYPES[name]):
            return name
    return "null"


def _check_choices(schema: Schema, value: Any, field: str) -> list[Problem]:
    if "enum" not in schema or value in schema["enum"]:
        return []
    return [failures.not_supported(field, value, schema["enum"])]


def _check_text(schema: Schema, value: str, field: str) -> list[Problem]:
    """Return the first of a text's problems; the server names no more either."""
    if len(value) > schema.get("maxLength", len(value)):
        return [failures.too_long(field, schema["maxLength"])]
    if len(value) < schema.get("minLength", 0):
        words = f"{field} in body should be at least {schema['minLength']} chars long"
        return [failures.invalid(field, value, words)]
    pattern = schema.get("pattern")
    if pattern and not _compiled(pattern).search(value):
        words = f"{field} in body should match '{pattern}'"
        return [failures.invalid(field, value, words)]
    return []


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _check_number(schema: Schema, value: float, field: str) -> list[Problem]:
    problems: list[Problem] = []
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None:
        exclusive = schema.get("exclusiveMinimum", False)
        if value < least or (exclusive and value == least):
            words = "greater than" if exclusive else "greater than or equal to"
            words = f"{field} in body should be {words} {least}"
            problems.append(failures.invalid(field, value, words))
    if most is not None:
        exclusive = schema.get("exclusiveMaximum", False)
        if value > most or (exclusive and value == most):
            words = "less than" if exclusive else "less than or equal to"
            words = f"{field} in body should be {words} {most}"
            problems.append(failures.invalid(field, value, words))
    step = schema.get("multipleOf")
    if step and value % step:
        words = f"{field} in body should be a multiple of {step}"
        problems.append(failures.invalid(field, value, words))
    return problems


def _check_list(schema: Schema, value: list[Any], field: str) -> list[Problem]:
    problems: list[Problem] = []
    if len(value) > schema.get("maxItems", len(value)):
        words = f"must have at most {schema['maxItems']} items"
        problems.append(Problem(field, "FieldValueTooMany", len(value), words))
    if len(value) < schema.get("minItems", 0):
        words = f"{field} in body should have at least {schema['minItems']} items"
        problems.append(failures.invalid(field, len(value), words))
    items = schema.get("items", {})
    for index, item in enumerate(value):
        problems += check(items, item, f"{field}[{index}]")
    kind = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys", ())
    seen: list[Any] = []
    for index, item in enumerate(value):
        shown = item
        if kind == "map" and isinstance(item, dict):
            shown = {key: item[key] for key in keys if key in item}
        if kind in {"map", "set"} and shown in seen:
            problems.append(failures.duplicate(f"{field}[{index}]", shown))
        seen.append(shown)
    return problems


def _check_object(schema: Schema, value: dict[str, Any], field: str) -> list[Problem]:
    problems: list[Problem] = []
    prefix = f"{field}." if field else ""
    problems += [
        failures.required(f"{prefix}{key}")
        for key in schema.get("required", ())
        if key not in value
    ]
    if len(value) > schema.get("maxProperties", len(value)):
        words = f"must have at most {schema['maxProperties']} items"
        problems.append(Problem(field, "FieldValueTooMany", len(value), words))
    if len(value) < schema.get("minProperties", 0):
        words = f"{field} in body should have at least {schema['minProperties']} properties"
        problems.append(failures.invalid(field, len(value), words))
    properties = schema.get("properties", {})
    additional = schema.get("additionalProperties")
    for key, item in value.items():
        if not field and key in {"apiVersion", "kind", "metadata"}:
            continue
        if key in properties:
            problems += check(properties[key], item, f"{prefix}{key}")
        elif isinstance(additional, dict):
            problems += check(additional, item, f"{prefix}{key}")
    return problems


def _check_combinations(schema: Schema, value: Any, field: str) -> list[Problem]:
    problems: list[Problem] = []
    for part in schema.get("allOf", ()):
        problems += check(part, value, field)
    if "anyOf" in schema and not any(not check(part, value, field) for part in schema["anyOf"]):
        words = f'"{field}" must validate at least one schema (anyOf)'
        problems.append(failures.invalid(field, _shown(value), words))
    if "oneOf" in schema:
        count = sum(not check(part, value, field) for part in schema["oneOf"])
        if count != 1:
            found = "Found none valid" if count == 0 else f"Found {count} valid alternatives"
            words = f'"{field}" must validate one and only one schema (oneOf). {found}'
            problems.append(failures.invalid(field, _shown(value), words))
    if "not" in schema and not check(schema["not"], value, field):
        words = f'"{field}" must not validate the schema (not)'
        problems.append(failures.invalid(field, _shown(value), words))
    return problems


def _shown(value: Any) -> Any:
    return "" if isinstance(value, (dict, list)) else value
