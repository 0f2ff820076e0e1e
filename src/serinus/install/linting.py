"""What is wrong with a CanaryRelease, without a cluster: all that a cluster would refuse, and more.

First the schema of the definition, then what only the codec can say. Where both speak of a field,
the codec's words are the better ones.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jsonschema_rs
import msgspec

from serinus.api import codec, v1alpha1
from serinus.errors import InvalidInput
from serinus.install import schema
from serinus.install.schema import Schema
from serinus.release.model import SetWeight, Spec
from serinus.release.preflight import weight_problem

Kind: TypeAlias = jsonschema_rs.ValidationErrorKind
_A_STEP: dict[str, Any] = {"pause": {}}

Path: TypeAlias = Sequence[str | int]


def is_release(value: Any) -> bool:
    """Tell whether a document means to be a CanaryRelease, of whatever version."""
    if not isinstance(value, Mapping):
        return False
    group = str(value.get("apiVersion", "")).partition("/")[0]
    return group == v1alpha1.GROUP or value.get("kind") == v1alpha1.KIND


def problems(value: Mapping[str, Any]) -> list[str]:
    """Return all that is wrong, each with its field path before a colon."""
    if value.get("apiVersion") != v1alpha1.API_VERSION or value.get("kind") != v1alpha1.KIND:
        return _of_codec(value)
    errors = list(_validator().iter_errors(value))
    found: dict[str, str] = {}
    for error in errors:
        for path, words in _said(error):
            found.setdefault(path, words)
    for problem in _of_codec(_repaired(value, errors)):
        path, _, words = problem.partition(": ")
        found[path] = words
    return [f"{path}: {words}" for path, words in found.items()]


@functools.cache
def _validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema.closed(schema.release()))


def _of_codec(value: Any) -> list[str]:
    try:
        release = codec.decode(value)
    except InvalidInput as error:
        return list(error.problems)
    return _out_of_reach(release.spec)


def _out_of_reach(spec: Spec) -> list[str]:
    """Return the weights that no number of replicas can express."""
    weights = [
        (index, step.weight_bp)
        for index, step in enumerate(spec.steps)
        if isinstance(step, SetWeight)
    ]
    said = [(i, weight_problem(spec, 0, weight_bp, surge=True)) for i, weight_bp in weights]
    return [f"spec.steps[{index}].setWeight: {words}" for index, words in said if words]


def _said(error: jsonschema_rs.ValidationError) -> list[tuple[str, str]]:
    path = list(error.instance_path)
    match error.kind:
        case Kind.AdditionalProperties(unexpected):
            return [(_text([*path, name]), "unknown field") for name in unexpected]
        case Kind.Required(name):
            return [(_text([*path, name]), "missing")]
        case _:
            return [(_text(path), error.message)]


def _text(path: Path) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).lstrip(".")


def _repaired(value: Mapping[str, Any], errors: Sequence[jsonschema_rs.ValidationError]) -> Any:
    """Return a copy with which the codec gets past what the schema has named already."""
    copy = msgspec.json.decode(msgspec.json.encode(value))
    for error in errors:
        # What stood there may be gone already, with something around it.
        with contextlib.suppress(KeyError, IndexError, TypeError, AttributeError):
            _repair(copy, error)
    _fill(schema.release(), copy)
    return copy


def _repair(copy: Any, error: jsonschema_rs.ValidationError) -> None:
    path = list(error.instance_path)
    match error.kind:
        case Kind.Pattern() | Kind.Minimum() | Kind.Maximum() | Kind.Required():
            # The codec reads such values and says better what is wrong; what is missing is filled.
            return
        case _ if path[:2] == ["spec", "steps"] and len(path) > 2:
            copy["spec"]["steps"][path[2]] = dict(_A_STEP)
        case Kind.AdditionalProperties(unexpected):
            for name in unexpected:
                _at(copy, path).pop(name, None)
        case _:
            _at(copy, path[:-1]).pop(path[-1], None)


def _at(value: Any, path: Path) -> Any:
    return functools.reduce(lambda found, part: found[part], path, value)


def _fill(known: Schema, value: Any) -> None:
    """Give an object whatever it must have."""
    if not isinstance(value, dict):
        return
    fields = known.get("properties", {})
    for name in known.get("required", ()):
        if name not in value:
            value[name] = {} if fields[name]["type"] == "object" else "x"
    for name, field in fields.items():
        if name in value:
            _fill(field, value[name])
