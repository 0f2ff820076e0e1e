"""Where a text of the request stands, as patterns of RE2 over a whole header or pseudo-header.

Envoy's own matchers of parameters cannot be inverted, and its hash cannot read one; a pattern over
the header says all of it. RE2 has no look-ahead, so "an item of another name" is spelt out, letter
by letter.
"""

from __future__ import annotations

import msgspec

from serinus.rules.tree import Attribute, Source
from serinus.traffic.envoy.routing.match import quoted


class Captured(msgspec.Struct, frozen=True):
    """A pattern over a whole header, and which of its groups hold the text."""

    header: str
    pattern: str
    text: str = "\\1"


class Place(msgspec.Struct, frozen=True):
    """Where an attribute stands: `before`, its text, `after`, over a whole header."""

    header: str
    before: str = ""
    after: str = ""
    anything: str = ".*"
    """Any text that may stand there."""
    separator: str = ""
    """Cannot be a part of the text."""
    is_optional: bool = False
    """The text and the sign in front may be missing together; then the text is empty."""
    is_quotable: bool = False
    """Quotes around the text are none of it."""

    def pattern(self, text: str, *, may_be_empty: bool = False) -> str:
        """Return the pattern for the whole header when the text matches `text`."""
        found = f"(?:{text})"
        if self.is_quotable:
            found = f'(?:"{found}"|{found})'
        if self.is_optional:
            found = f"(?:={found}){'?' if may_be_empty else ''}"
        return f"{self.before}{found}{self.after}"


def place(attribute: Attribute) -> Place:
    """Return where an attribute stands; of several cookies or parameters the first counts."""
    name = attribute.key[0] if attribute.key else ""
    match attribute.source:
        case Source.METHOD:
            return Place(":method")
        case Source.HOST:
            return Place(":authority")
        case Source.PATH:
            return Place(":path", after="(?:[?].*)?", anything="[^?]*", separator="?")
        case Source.COOKIE:
            return Place(
                "cookie",
                before=f"(?:{_other_cookie(name)};)* *{quoted(name)}=",
                after="(?:;.*)?",
                anything="[^;]*",
                separator=";",
                is_quotable=True,
            )
        case Source.QUERY:
            return Place(
                ":path",
                before=f"[^?]*[?](?:{_other_parameter(name)}&)*{quoted(name)}",
                after="(?:&.*)?",
                anything="[^&]*",
                separator="&",
                is_optional=True,
            )
        case _:
            return Place(name)


def only_header(name: str) -> Captured:
    """Return a header that is there once; several come joined by commas."""
    return Captured(name, "^([^,]+)$")


def only_cookie(name: str) -> Captured:
    """Return a cookie that is there once and is not empty."""
    other = _other_cookie(name)
    # Either in quotes, which are none of it, or not: then it does not both begin and end with one.
    value = '(?:"([^;]+)"|([^;"][^;]*|"[^;]*[^;"]|"))'
    pattern = f"^(?:{other};)* *{quoted(name)}={value}(?:;{other})*$"
    return Captured("cookie", pattern, text="\\1\\2")


def only_parameter(name: str) -> Captured:
    """Return a query parameter that is there once and is not empty, as it stands in the address."""
    other = _other_parameter(name)
    return Captured(":path", f"^[^?]*[?](?:{other}&)*{quoted(name)}=([^&]+)(?:&{other})*$")


def _other_cookie(name: str) -> str:
    """Return the pattern of an item that is no cookie of this name."""
    text = f"{name}="
    pattern = f"(?:[^{_in_class('=;')}][^;]*)?"
    for index in range(len(name) - 1, -1, -1):
        letter = text[index]
        not_it = _in_class(letter + ";" + (" " if index == 0 else ""))
        pattern = f"(?:[^{not_it}][^;]*|{quoted(letter)}{pattern})?"
    return f" *{pattern}"


def _other_parameter(name: str) -> str:
    """Return the pattern of an item, with a value or without, of another name."""
    pattern = "[^=&][^&]*"
    for letter in reversed(name):
        pattern = f"(?:[^{_in_class(letter + '&')}][^&]*|{quoted(letter)}{pattern})?"
    return pattern


def _in_class(letters: str) -> str:
    return "".join(f"\\{c}" if c.isascii() and not c.isalnum() and c != " " else c for c in letters)
