"""Who the user is: sources in a chain, and the cookie for users whom nobody knows."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from serinus.rules import reading
from serinus.rules.tree import Request


class IdentityKind(enum.Enum):
    """Where an identity is read."""

    HEADER = "header"
    COOKIE = "cookie"
    QUERY = "query"
    SOURCE_ADDRESS = "sourceAddress"


@dataclass(frozen=True, slots=True)
class IdentitySource:
    """One place; `name` is the header's (lower case), cookie's or parameter's."""

    kind: IdentityKind
    name: str = ""


class SameSite(enum.Enum):
    """Which requests from other sites carry the cookie."""

    LAX = "Lax"
    STRICT = "Strict"
    NONE = "None"


@dataclass(frozen=True, slots=True)
class IdCookie:
    """The cookie that an anonymous user gets; its value is an id that cannot be guessed."""

    name: str = "serinus-id"
    max_age_s: int = 31_536_000
    path: str = "/"
    domain: str = ""
    secure: bool = True
    http_only: bool = True
    same_site: SameSite = SameSite.LAX


class Absence(enum.Enum):
    """Why a source was passed over."""

    MISSING = "missing"
    EMPTY = "empty"
    REPEATED = "repeated"
    """Two values do not say which of them the user is."""


def reader(source: IdentitySource) -> Callable[[Request], str | Absence]:
    """Return what says who the user is by this source, or why it does not.

    A header with a comma counts as repeated: a proxy on the way may have joined two lines of it.
    """
    match source.kind:
        case IdentityKind.HEADER:
            return lambda request: _one_value(reading.header(request.headers, source.name))
        case IdentityKind.SOURCE_ADDRESS:
            return _address
        case IdentityKind.COOKIE:
            return lambda request: _only(reading.cookies(request.headers), source.name)
        case IdentityKind.QUERY:
            return lambda request: _only(reading.parameters(request.query), source.name)


def _one_value(found: str | None) -> str | Absence:
    if found is None:
        return Absence.MISSING
    if "," in found:
        return Absence.REPEATED
    return found or Absence.EMPTY


def _address(request: Request) -> str | Absence:
    found = reading.address(request.source_address)
    return Absence.MISSING if found is None else str(found)


def _only(pairs: Iterator[tuple[str, str]], wanted: str) -> str | Absence:
    values = [value for name, value in pairs if name == wanted]
    if not values:
        return Absence.MISSING
    return values[0] or Absence.EMPTY if len(values) == 1 else Absence.REPEATED
