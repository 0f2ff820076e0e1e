"""The words of a rule's text, each with its position."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from serinus.errors import InvalidRule

TEXT_LENGTH_MAX = 4_096
INTEGER_MAX = 2**63 - 1


class Kind(enum.Enum):
    """What a token is, as a message says it."""

    NAME = "a name"
    TEXT = "a text in quotes"
    INTEGER = "a whole number"
    SIGN = "a sign"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """One word; `value` is the name, the sign, the text without quotes, or the number."""

    kind: Kind
    value: str | int
    position: int

    def __str__(self) -> str:
        return Kind.END.value if self.kind is Kind.END else repr(self.value)


_SPACE = re.compile(r"(?:[ \t\r\n\f]|//[^\n]*)+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INTEGER = re.compile(r"[0-9]+")
_SIGN = re.compile(r"&&|\|\||==|!=|<=|>=|[!<>()\[\],.+-]")
_QUOTED = re.compile(r"""([rR]?)(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")""")
_RAW_QUOTED = re.compile(r"""[rR](?:'([^'\n]*)'|"([^"\n]*)")""")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


def tokens(text: str) -> list[Token]:
    """Return the words of the text, the end included.

    Raises:
        InvalidRule: a character begins no word, or a text is not closed.
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise InvalidRule(
            text, TEXT_LENGTH_MAX, f"a rule is at most {TEXT_LENGTH_MAX:,} characters long"
        )
    found: list[Token] = []
    position = 0
    while True:
        if space := _SPACE.match(text, position):
            position = space.end()
        if position == len(text):
            return [*found, Token(Kind.END, "", position)]
        token, position = _token(text, position)
        found.append(token)


def _token(text: str, position: int) -> tuple[Token, int]:
    if raw := _RAW_QUOTED.match(text, position):
        value = raw[1] if raw[1] is not None else raw[2]
        _encodable(text, position, value)
        return Token(Kind.TEXT, value, position), raw.end()
    quoted = _QUOTED.match(text, position)
    if quoted and not quoted[1]:
        group = 2 if quoted[2] is not None else 3
        value = _unescaped(text, quoted.start(group), quoted[group])
        _encodable(text, position, value)
        return Token(Kind.TEXT, value, position), quoted.end()
    if text[position] in "'\"" or (
        text[position] in "rR" and text[position + 1 : position + 2] in ("'", '"')
    ):
        raise InvalidRule(text, position, "this text is not closed; end it with the same quote")
    if name := _NAME.match(text, position):
        return Token(Kind.NAME, name[0], position), name.end()
    if number := _INTEGER.match(text, position):
        if len(number[0]) > 19 or int(number[0]) > INTEGER_MAX:
            raise InvalidRule(text, position, "this number needs more than 64 bits")
        return Token(Kind.INTEGER, int(number[0]), position), number.end()
    if sign := _SIGN.match(text, position):
        return Token(Kind.SIGN, sign[0], position), sign.end()
    raise InvalidRule(text, position, f"{text[position]!r} {_advice(text[position])}")


def _advice(character: str) -> str:
    doubled = {"&": "&&", "|": "||", "=": "=="}
    if character in doubled:
        return f"stands alone; write {doubled[character]}"
    return "begins no word of the rule language"


def _unescaped(text: str, start: int, quoted: str) -> str:
    """Return what a text between quotes says."""

    def value(escape: re.Match[str]) -> str:
        if escape[1] is not None:
            return chr(int(escape[1], 16))
        if escape[2] not in _ESCAPES:
            raise InvalidRule(
                text,
                start + escape.start(),
                f"{escape[0]} is no escape; known: \\\\ \\' \\\" \\n \\r \\t \\uXXXX."
                " In a pattern write r'...', where a backslash is itself",
            )
        return _ESCAPES[escape[2]]

    return _ESCAPE.sub(value, quoted)


def _encodable(text: str, position: int, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRule(
            text, position, "this text holds half a character (U+D800..DFFF)"
        ) from None
