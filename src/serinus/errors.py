"""The one tree of exceptions.

Outcomes are values; an exception means "this attempt did not work". Classes follow what the
caller does::

    SerinusError
    ├── UsageError                 the input is wrong                              exit 2
    │   ├── InvalidInput           one or more problems, each with a field path
    │   ├── InvalidRule            the text of a rule, with the position
    │   └── UnknownName            a name that is not among the known ones
    ├── RefusedError               the cluster's state refuses, or the release failed   exit 1
    ├── ClusterError               the API server said no, or said nothing
    │   ├── NotFound · AlreadyExists · Conflict · Gone · Forbidden · Unauthorized
    │   ├── Invalid                                                                 exit 1
    │   └── Unavailable            no answer, or "try later"                        exit 3
    ├── DataPlaneError             a proxy or a pod's process did not do its part   exit 1
    └── InvariantViolation         serinus itself was about to do wrong             exit 1
"""

# ruff: noqa: N818 - the names say what happened, as the API server does: NotFound, Conflict, Gone

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class Retry(enum.Enum):
    """Say what the caller may do with the attempt that failed."""

    NOW = "now"
    """Read again and decide again at once."""
    BACK_OFF = "back off"
    """The same call may work later."""
    NEVER = "never"
    """The same call will fail again."""


class SerinusError(Exception):
    """Base of all: the message says what, where, and what to do next."""

    exit_code: ClassVar[int] = 1
    retry: ClassVar[Retry] = Retry.NEVER


class UsageError(SerinusError):
    """The input is wrong; nothing was written."""

    exit_code = 2


class InvalidInput(UsageError):
    """All that is wrong with one input, collected before it is refused."""

    def __init__(self, subject: str, problems: Sequence[str]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            super().__init__(f"{subject}: {self.problems[0]}")
        else:
            super().__init__("\n".join([f"{subject}:", *(f"  - {p}" for p in self.problems)]))


class InvalidRule(UsageError):
    """The text of a rule says nothing, or nothing that a request could be asked."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        self.text, self.position, self.problem = text, position, problem
        before, _, _ = text[:position].rpartition("\n")
        self.line = text.count("\n", 0, position) + 1
        self.column = position - (len(before) + 1 if self.line > 1 else 0) + 1
        where = f"line {self.line}, column" if "\n" in text else "column"
        super().__init__(f"{where} {self.column}: {problem}")

    @property
    def caret(self) -> str:
        """Return the line that is wrong, and below it a mark at the position."""
        line = self.text.split("\n")[self.line - 1]
        line = "".join(c if c.isprintable() else " " for c in line)
        return f"{line}\n{' ' * (self.column - 1)}^"


class UnknownName(UsageError):
    """A name that is not among the known ones."""

    def __init__(self, kind: str, name: str, known: Sequence[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        choices = f"; known: {', '.join(known)}" if known else ""
        super().__init__(f"unknown {kind} {name!r}{choices}")


class RefusedError(SerinusError):
    """The input is well-formed but the cluster's state does not allow it, or the release failed."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class ClusterError(SerinusError):
    """The API server refused a call; `reason` is the word of its Status object."""

    reason: ClassVar[str] = "Unknown"

    def __init__(
        self,
        message: str,
        *,
        code: int = 0,
        retry_after_ms: int | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.retry_after_ms = retry_after_ms
        self.details = details
        """The `details` of the Status object: name, group, kind, causes."""
        super().__init__(message)


class NotFound(ClusterError):
    """The object, or its kind, is not there."""

    reason = "NotFound"


class AlreadyExists(ClusterError):
    """An object of that name is there already."""

    reason = "AlreadyExists"


class Conflict(ClusterError):
    """The object changed since it was read, or another manager owns the field."""

    reason = "Conflict"
    retry = Retry.NOW


class Gone(ClusterError):
    """The version asked for is no longer kept: list again."""

    reason = "Expired"
    retry = Retry.NOW


class Unauthorized(ClusterError):
    """The API server does not know who we are."""

    reason = "Unauthorized"


class Forbidden(ClusterError):
    """We may not do this; the message names the verb and the resource."""

    reason = "Forbidden"


class Invalid(ClusterError):
    """The API server refused the object itself (also BadRequest and unsupported media type)."""

    reason = "Invalid"


class Unavailable(ClusterError):
    """No answer, or an answer that says try later (429, 5xx, timeout, connection refused)."""

    exit_code = 3
    retry = Retry.BACK_OFF
    reason = "ServiceUnavailable"


class DataPlaneError(SerinusError):
    """A proxy or a pod's process did not do its part."""


class InvariantViolation(SerinusError):
    """serinus was about to break one of its own rules; nothing was written."""
