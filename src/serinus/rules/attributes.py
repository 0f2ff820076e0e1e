"""Which attributes and functions there are, and what was probably meant by any other name."""

from __future__ import annotations

import re

from serinus.rules.tree import Source

ATTRIBUTES = {source.value: source for source in Source}
SOURCE_ADDRESS = "source.address"
FUNCTIONS = ("int", "timestamp", "duration", "cidr", "has")
METHODS = ("startsWith", "endsWith", "matches", "containsIP")

_MEANT = {
    "request.url_path": "request.path",
    "request.uri": "request.path",
    "request.time": "now",
    "request.cookie": "request.cookies",
    "request.header": "request.headers",
    "request.auth": "request.claims",
    "jwt": "request.claims",
    "claims": "request.claims",
    "headers": "request.headers",
    "cookies": "request.cookies",
    "query": "request.query",
    "method": "request.method",
    "path": "request.path",
    "source.ip": SOURCE_ADDRESS,
    "contains": "matches",
}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_ELSEWHERE = {
    "host": "request.host",
    "cookie": "request.cookies['NAME']",
    ":path": "request.path or request.query['NAME']",
    ":method": "request.method",
    ":authority": "request.host",
}


def unknown(kind: str, name: str, known: tuple[str, ...]) -> str:
    """Return the words for a name that is not known, with the nearest that is."""
    meant = _MEANT.get(name)
    if meant is None:
        import difflib

        near = difflib.get_close_matches(name, known, n=1)
        meant = near[0] if near else None
    advice = f"did you mean {meant}?" if meant else f"known: {', '.join(known)}"
    return f"unknown {kind} {name}; {advice}"


def header_problem(name: str) -> str | None:
    """Return what is wrong with the (lower-case) name of a header, if anything."""
    if name in _ELSEWHERE:
        return f"{name!r} is read as {_ELSEWHERE[name]}"
    if not _HEADER_NAME.fullmatch(name):
        return f"{name!r} is no name of a header"
    return None


def key_problem(source: Source, name: str) -> str | None:
    """Return why no request can have a value of this name, if so."""
    if source is Source.HEADER:
        return header_problem(name)
    if source is Source.COOKIE and (not name or re.search(r"[=;\s,]", name)):
        return f"{name!r} is no name of a cookie"
    if source is Source.QUERY and (re.search(r"[=&#\s]", name) or not name.isascii()):
        return f"{name!r} is no name of a parameter; write it as it stands in the address"
    return None
