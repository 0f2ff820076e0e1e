"""Who the user is: sources in a chain, and the cookie for users whom nobody knows."""

from __future__ import annotations

import enum
from dataclasses import dataclass


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
