"""What an API server's refusal means: its Status object becomes one of our errors. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from serinus import errors


class Cause(msgspec.Struct, frozen=True, rename="camel"):
    """One reason among several, with the path of the field that it is about."""

    reason: str | None = None
    message: str | None = None
    field: str | None = None

    def __str__(self) -> str:
        words = self.message or self.reason or "no reason given"
        return f"{self.field}: {words}" if self.field else words


class Details(msgspec.Struct, frozen=True, rename="camel"):
    """What the refusal is about."""

    name: str | None = None
    group: str | None = None
    kind: str | None = None
    causes: tuple[Cause, ...] | None = None
    retry_after_seconds: int | None = None


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """The API server's `v1.Status`, as far as it concerns failures."""

    status: str | None = None
    message: str | None = None
    reason: str | None = None
    code: int | None = None
    details: dict[str, Any] | None = None


_BY_REASON: Mapping[str, type[errors.ClusterError]] = {
    "NotFound": errors.NotFound,
    "AlreadyExists": errors.AlreadyExists,
    "Conflict": errors.Conflict,
    "Gone": errors.Gone,
    "Expired": errors.Gone,
    "Unauthorized": errors.Unauthorized,
    "Forbidden": errors.Forbidden,
    "Invalid": errors.Invalid,
    "BadRequest": errors.Invalid,
    "MethodNotAllowed": errors.Invalid,
    "NotAcceptable": errors.Invalid,
    "UnsupportedMediaType": errors.Invalid,
    "RequestEntityTooLarge": errors.Invalid,
    "TooManyRequests": errors.Unavailable,
    "Timeout": errors.Unavailable,
    "ServerTimeout": errors.Unavailable,
    "InternalError": errors.Unavailable,
    "ServiceUnavailable": errors.Unavailable,
    "StorageReadError": errors.Unavailable,
}
_BY_CODE: Mapping[int, type[errors.ClusterError]] = {
    400: errors.Invalid,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.Invalid,
    406: errors.Invalid,
    408: errors.Unavailable,
    409: errors.Conflict,
    410: errors.Gone,
    413: errors.Invalid,
    415: errors.Invalid,
    422: errors.Invalid,
    429: errors.Unavailable,
}
_TEXT_MAX = 300
_ADVICE: Mapping[type[errors.ClusterError], str] = {
    errors.Unauthorized: "; log in again, or check the user of this context in the kubeconfig",
    errors.Forbidden: "; ask for the right, or use another context or --as",
}


def of_answer(code: int, body: bytes, *, what: str, retry_after: str | None) -> errors.ClusterError:
    """Return the error that an HTTP answer stands for.

    Args:
        code: the HTTP status.
        body: a Status object, or whatever a proxy on the way put there.
        what: the attempt in words, such as `get deployments.apps "shop"`.
        retry_after: the header of that name.
    """
    status = _decode(body) or Status(message=_first_words(body))
    return of_status(status, what=what, code=code, retry_after_ms=_header_ms(retry_after))


def of_status(
    status: Status, *, what: str, code: int = 0, retry_after_ms: int | None = None
) -> errors.ClusterError:
    """Return the error that a Status object stands for, also that of a watch's ERROR event."""
    code = status.code or code
    kind = _BY_REASON.get(status.reason or "") or _BY_CODE.get(code)
    if kind is None:
        kind = errors.Unavailable if code >= 500 else errors.ClusterError
    details = _details(status)
    if retry_after_ms is None and details.retry_after_seconds:
        retry_after_ms = details.retry_after_seconds * 1000
    message = f"cannot {what}: {_words(status, details, code)}{_ADVICE.get(kind, '')}"
    return kind(message, code=code, retry_after_ms=retry_after_ms, details=status.details)


def _details(status: Status) -> Details:
    try:
        return msgspec.convert(status.details or {}, Details)
    except msgspec.ValidationError:
        # Not as it should be, but the refusal stands.
        return Details()


def _words(status: Status, details: Details, code: int) -> str:
    said = (status.message or "").strip() or (status.reason or "") or f"HTTP status {code}"
    missing = [
        str(cause)
        for cause in details.causes or ()
        if (cause.message or "") not in said or (cause.field or "") not in said
    ]
    return "\n  - ".join([said, *missing])


def _decode(body: bytes) -> Status | None:
    try:
        status = msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:
        return None
    return status if status.status == "Failure" or status.reason or status.message else None


def _first_words(body: bytes) -> str:
    text = " ".join(body[: 4 * _TEXT_MAX].decode(errors="replace").split())
    return text[:_TEXT_MAX]


def _header_ms(value: str | None) -> int | None:
    """Read Retry-After; the API server sends whole seconds, never a date."""
    return int(value) * 1000 if value and value.isascii() and value.isdigit() else None


_WARNING = re.compile(r'\b299 \S+ "((?:[^"\\]|\\.)*)"')


def warnings(headers: Iterable[str]) -> list[str]:
    """Return the texts of `Warning` headers: code 299, an agent, a quoted text (RFC 7234, 5.5)."""
    found = (text for header in headers for text in _WARNING.findall(header))
    return [re.sub(r"\\(.)", r"\1", text) for text in found]
