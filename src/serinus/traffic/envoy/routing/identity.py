"""Who the user is, as Envoy reads it: one route for each source, and the hash of what it found.

Envoy hashes with xxHash64 and takes the rest by 10,000, as `serinus.assignment.bucket` does.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from serinus.assignment.identity import IdCookie, IdentityKind, IdentitySource
from serinus.assignment.split import Split
from serinus.traffic.envoy.messages import Json
from serinus.traffic.envoy.routing import texts
from serinus.traffic.envoy.routing.match import EVERYTHING, Computed, Match, header, regex

_HASHABLE = "envoy.hashable_string"
_SOURCE_KEY = "serinus.source"
_NEW_ID_KEY = "serinus.new-id"
_NEW_USER_KEY = "serinus.new-user"


class User(msgspec.Struct, frozen=True):
    """How one kind of user is known, and hashed; without `hash_policy` chance decides."""

    match: Match = EVERYTHING
    hash_policy: Json | None = None
    needs: tuple[Computed, ...] = ()
    set_cookie: str = ""


def users(split: Split) -> tuple[User, ...]:
    """Return the chain: each source in order, then the users whom nobody knows."""
    return tuple(_users(split))


def _users(split: Split) -> Iterator[User]:
    for source in split.sources:
        yield _known(source, split.salt)
        if source.kind is IdentityKind.SOURCE_ADDRESS:
            return  # every request has one
    yield User() if split.cookie is None else _new(split.cookie, split.salt)


def _known(source: IdentitySource, salt: str) -> User:
    match source.kind:
        case IdentityKind.HEADER:
            return _by_text(texts.only_header(source.name), salt)
        case IdentityKind.COOKIE:
            return _by_text(texts.only_cookie(source.name), salt)
        case IdentityKind.QUERY:
            return _by_text(texts.only_parameter(source.name), salt)
        case IdentityKind.SOURCE_ADDRESS:
            text = f"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%/{_literal(salt)}"
            computed = Computed(_SOURCE_KEY, text, _HASHABLE)
            return User(hash_policy=_by_computed(_SOURCE_KEY), needs=(computed,))


def _by_text(text: texts.Captured, salt: str) -> User:
    rewrite = {
        "pattern": {"regex": text.pattern},
        "substitution": f"{text.text}/{_backslashed(salt)}",
    }
    return User(
        match=header(text.header, regex(text.pattern)),
        hash_policy={"header": {"header_name": text.header, "regex_rewrite": rewrite}},
    )


def _new(cookie: IdCookie, salt: str) -> User:
    """Return the user who gets an id now; the first answer agrees with all later ones.

    The id is a random UUID of Envoy's own, made for this purpose alone: the request's id stands in
    logs, and a client may send one.
    """
    fresh = Computed(_NEW_ID_KEY, "%UNIQUE_ID%")
    salted = Computed(
        _NEW_USER_KEY, f"%FILTER_STATE({_NEW_ID_KEY}:PLAIN)%/{_literal(salt)}", _HASHABLE
    )
    return User(
        hash_policy=_by_computed(_NEW_USER_KEY),
        needs=(fresh, salted),
        set_cookie=f"{cookie.name}=%FILTER_STATE({_NEW_ID_KEY}:PLAIN)%{_attributes(cookie)}",
    )


def _attributes(cookie: IdCookie) -> str:
    found = [f"Path={cookie.path}", f"Max-Age={cookie.max_age_s}"]
    if cookie.domain:
        found.append(f"Domain={cookie.domain}")
    if cookie.secure:
        found.append("Secure")
    if cookie.http_only:
        found.append("HttpOnly")
    found.append(f"SameSite={cookie.same_site.value}")
    return "".join(f"; {_literal(each)}" for each in found)


def _by_computed(key: str) -> Json:
    return {"filter_state": {"key": key}}


def _literal(text: str) -> str:
    return text.replace("%", "%%")


def _backslashed(text: str) -> str:
    return text.replace("\\", "\\\\")
