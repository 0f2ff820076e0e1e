"""Refusals in Kubernetes' own words, and the Status object of each.

Wording: k8s.io/apimachinery 0.36, pkg/api/errors and pkg/util/validation/field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from serinus import errors
from serinus.kubernetes_model.kinds import Resource

_REASONS = {
    400: "BadRequest",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}

MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)
_TITLES = {
    "FieldValueNotFound": "Not found",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueTypeInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
}
_WITHOUT_VALUE = {"FieldValueRequired", "FieldValueForbidden", "FieldValueTooLong"}
OMITTED = object()
"""In place of a value that a message does not show."""


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with one field."""

    field: str
    reason: str
    value: Any = None
    detail: str = ""

    @property
    def body(self) -> str:
        """Return the message without the field."""
        text = _TITLES[self.reason]
        if self.reason not in _WITHOUT_VALUE and self.value is not OMITTED:
            text = f"{text}: {msgspec.json.encode(self.value).decode()}"
        return f"{text}: {self.detail}" if self.detail else text

    def __str__(self) -> str:
        return f"{self.field}: {self.body}" if self.field else self.body


def required(field: str, detail: str = "") -> Problem:
    """Return the problem of a value that is missing."""
    return Problem(field, "FieldValueRequired", "", detail)


def invalid(field: str, value: Any, detail: str) -> Problem:
    """Return the problem of a value that breaks a rule."""
    return Problem(field, "FieldValueInvalid", value, detail)


def duplicate(field: str, value: Any) -> Problem:
    """Return the problem of a value that is there twice."""
    return Problem(field, "FieldValueDuplicate", value)


def forbidden_field(field: str, detail: str) -> Problem:
    """Return the problem of a field that may not be set, or not changed."""
    return Problem(field, "FieldValueForbidden", "", detail)


def not_supported(field: str, value: Any, supported: Sequence[str]) -> Problem:
    """Return the problem of a value that is not among the allowed ones."""
    quoted = ", ".join(msgspec.json.encode(word).decode() for word in supported)
    return Problem(field, "FieldValueNotSupported", value, f"supported values: {quoted}")


def too_long(field: str, limit: int, unit: str = "bytes") -> Problem:
    """Return the problem of a value that is longer than allowed."""
    return Problem(field, "FieldValueTooLong", "", f"may not be more than {limit} {unit}")


def not_found(resource: Resource, name: str) -> errors.NotFound:
    """Return the error for an object that is not there."""
    message = f'{resource.qualified_name} "{name}" not found'
    return errors.NotFound(message, code=404, details=_details(resource, name))


def already_exists(resource: Resource, name: str) -> errors.AlreadyExists:
    """Return the error for a name that is taken."""
    message = f'{resource.qualified_name} "{name}" already exists'
    return errors.AlreadyExists(message, code=409, details=_details(resource, name))


def conflict(resource: Resource, name: str, why: str = MODIFIED) -> errors.Conflict:
    """Return the error for a precondition that does not hold."""
    message = f'Operation cannot be fulfilled on {resource.qualified_name} "{name}": {why}'
    return errors.Conflict(message, code=409, details=_details(resource, name))


def apply_conflict(causes: list[dict[str, str]], message: str) -> errors.Conflict:
    """Return the error of a server-side apply that others' fields stand against."""
    return errors.Conflict(message, code=409, details={"causes": causes})


def forbidden(
    resource: Resource, name: str, why: str, causes: Sequence[Mapping[str, str]] = ()
) -> errors.Forbidden:
    """Return the error for what may not be done now."""
    subject = f'{resource.qualified_name} "{name}"' if name else resource.qualified_name
    details = _details(resource, name)
    if causes:
        details["causes"] = list(causes)
    return errors.Forbidden(f"{subject} is forbidden: {why}", code=403, details=details)


def invalid_object(resource: Resource, name: str, problems: Sequence[Problem]) -> errors.Invalid:
    """Return the error for an object with problems in its fields."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = {
        "name": name,
        "group": resource.group,
        "kind": resource.kind,
        "causes": causes(problems),
    }
    message = f'{kind} "{name}" is invalid: {_joined(problems)}'
    return errors.Invalid(message, code=422, details=_filled(details))


def invalid_patch(patched: Any, why: str) -> errors.Invalid:
    """Return the error for a patch whose result cannot be read."""
    shown = patched if isinstance(patched, str) else msgspec.json.encode(patched).decode()
    problem = invalid("patch", shown, why)
    details = {"causes": causes([problem])}
    return errors.Invalid(f' "" is invalid: {problem}', code=422, details=details)


def unprocessable(why: str) -> errors.Invalid:
    """Return the error for a JSON patch that does not fit the object."""
    del why  # Kubernetes keeps the reason to itself
    message = "the server rejected our request due to an error in our request"
    return errors.Invalid(message, code=422, details={})


def too_old(version: int, oldest: int) -> errors.Gone:
    """Return the error for changes after a version from which none are kept."""
    return errors.Gone(f"too old resource version: {version} ({oldest})", code=410)


def bad_request(message: str) -> errors.Invalid:
    """Return the error for a request that cannot be understood."""
    return errors.Invalid(message, code=400)


def unsupported_media_type(message: str) -> errors.Invalid:
    """Return the error for a kind of patch that the resource does not take."""
    return errors.Invalid(message, code=415)


def method_not_allowed(resource: Resource, action: str) -> errors.Invalid:
    """Return the error for a verb that the resource does not have."""
    message = f'{action} is not supported on resources of kind "{resource.qualified_name}"'
    return errors.Invalid(message, code=405, details=_details(resource, ""))


def unexplained(message: str) -> errors.Invalid:
    """Return the error for a refusal to which Kubernetes gives code 500 and no reason."""
    return errors.Invalid(message, code=500)


def internal(message: str) -> errors.Unavailable:
    """Return the error for what Kubernetes answers with code 500."""
    return errors.Unavailable(message, code=500)


def too_many_requests(message: str, causes_: Sequence[Mapping[str, str]]) -> errors.Unavailable:
    """Return the error for what may work later."""
    return errors.Unavailable(message, code=429, details={"causes": list(causes_)})


def causes(problems: Sequence[Problem]) -> list[dict[str, str]]:
    """Return the problems as causes of a Status."""
    return [
        {"reason": problem.reason, "message": problem.body, "field": problem.field}
        for problem in problems
    ]


def status(error: errors.ClusterError) -> dict[str, Any]:
    """Return the Status object that says what an error says."""
    by_code = isinstance(error, (errors.Invalid, errors.Unavailable))
    result: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": str(error),
        "reason": _REASONS.get(error.code, error.reason) if by_code else error.reason,
    }
    if isinstance(error, errors.Invalid) and error.code == 500:
        del result["reason"]
    if error.details is not None:
        result["details"] = dict(error.details)
    result["code"] = error.code or 500
    return result


def as_go(value: Any) -> str:
    """Return a value as Go's `%v` shows it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{as_go(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(as_go, value))}]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _joined(problems: Sequence[Problem]) -> str:
    words = list(dict.fromkeys(map(str, problems)))
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"


def _details(resource: Resource, name: str) -> dict[str, Any]:
    return _filled({"name": name, "group": resource.group, "kind": resource.plural})


def _filled(details: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in details.items() if value}
