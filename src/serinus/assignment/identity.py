"""Who the user is: sources in a chain, and the cookie for users whom nobody knows."""

from __future__ import annotations

import enum
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


def read(request: Request, source: IdentitySource) -> str | Absence:
    """Return who the user is by this source, or why it does not say.

    A header with a comma counts as repeated: a proxy on the way may have joined two lines of it.
    """
    match source.kind:
        case IdentityKind.HEADER:
            found = reading.header(request.headers, source.name)
            if found is not None and "," in found:
                return Absence.REPEATED
        case IdentityKind.SOURCE_ADDRESS:
            address = reading.address(request.source_address)
            found = None if address is None else str(address)
        case _:
            cookies = source.kind is IdentityKind.COOKIE
            pairs = (
                reading.cookies(request.headers) if cookies else reading.parameters(request.query)
            )
            values = [value for name, value in pairs if name == source.name]
            if len(values) > 1:
                return Absence.REPEATED
            found = values[0] if values else None
    if found is None:
        return Absence.MISSING
    return found or Absence.EMPTY
