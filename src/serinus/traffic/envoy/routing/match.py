"""What a route asks of a request: matchers that must all hold, and values to be computed."""

from __future__ import annotations

import re

import msgspec

from serinus.traffic.envoy.messages import Json

_SPECIAL = re.compile(r"[^A-Za-z0-9_\-/=:;, %&~!@#\"'<>]")


class Computed(msgspec.Struct, frozen=True):
    """A value that is computed for every request, before a route is chosen."""

    key: str
    text: str
    """In Envoy's format language."""
    factory: str = "envoy.string"


class Match(msgspec.Struct, frozen=True):
    """All of these hold."""

    headers: tuple[Json, ...] = ()
    cookies: tuple[Json, ...] = ()
    parameters: tuple[Json, ...] = ()
    computed: tuple[Json, ...] = ()
    needs: tuple[Computed, ...] = ()
    """What the matchers of `computed` read."""

    def also(self, other: Match) -> Match:
        """Return the match of both."""
        return Match(
            self.headers + other.headers,
            self.cookies + other.cookies,
            self.parameters + other.parameters,
            self.computed + other.computed,
            self.needs + other.needs,
        )

    def to_json(self) -> Json:
        """Return the match of a route."""
        parts = {
            "headers": self.headers,
            "cookies": self.cookies,
            "query_parameters": self.parameters,
            "filter_state": self.computed,
        }
        return {"prefix": "/", **{name: list(part) for name, part in parts.items() if part}}


EVERYTHING = Match()


def header(name: str, how: Json, *, inverted: bool = False) -> Match:
    """Return the match of a header, or of a pseudo-header; a missing one never matches."""
    found = {"name": name, **how}
    if inverted:
        found["invert_match"] = True
    return Match(headers=(found,))


def computed(value: Computed, how: Json) -> Match:
    """Return the match of a computed value."""
    return Match(computed=({"key": value.key, **how},), needs=(value,))


def exact(text: str) -> Json:
    """Match a whole value."""
    return {"string_match": {"exact": text}}


def regex(pattern: str) -> Json:
    """Match a whole value by a pattern of RE2."""
    return {"string_match": {"safe_regex": {"regex": pattern}}}


PRESENT: Json = {"present_match": True}


def quoted(text: str) -> str:
    """Return the pattern of RE2 that matches this text alone."""
    # RE2 takes a backslash before punctuation only.
    return _SPECIAL.sub(lambda found: f"\\{found[0]}" if found[0].isascii() else found[0], text)
