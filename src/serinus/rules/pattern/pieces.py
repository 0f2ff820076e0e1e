"""The parts of a pattern: in both dialects, with what decides how long Python's `re` may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Code points, first and last of each range."""

DIGIT: Ranges = ((0x30, 0x39),)
WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACE: Ranges = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
_NOT_NEWLINE: Ranges = ((0, 9), (11, 0x10FFFF))
_SPECIAL = set("\\.[]{}()*+?^$|-&~")
_UNDECODED = "\\udc80-\\udcff"
"""What stands for bytes that are not UTF-8: no class of RE2 has them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a pattern."""

    python: str
    re2: str
    size: int = 0
    """Characters and classes once all repetitions are written out."""
    nested: int = 1
    """The largest product of repetitions inside each other."""
    single: bool = False
    """Whether it stands for exactly one character."""
    characters: Ranges = ()
    """All that it may stand for."""
    varies: bool = False
    """Whether it is a single character, any number of times."""
    branches: bool = False
    """Whether there is any other choice in it."""
    choices: int = 0
    parts: tuple[Piece, ...] = ()
    repeatable: bool = True


def literal(character: str) -> Piece:
    """Return the piece that is this character."""
    code = ord(character)
    text = _quoted(character)
    return Piece(text, text, 1, single=True, characters=((code, code),))


def one_of(ranges: Ranges, *, negated: bool = False) -> Piece:
    """Return the piece that is one of these characters, or one of all others."""
    inner = "".join(
        _quoted(chr(low)) if low == high else f"{_quoted(chr(low))}-{_quoted(chr(high))}"
        for low, high in ranges
    )
    if not negated:
        return Piece(f"[{inner}]", f"[{inner}]", 1, single=True, characters=ranges)
    others = _complement(ranges)
    return Piece(f"[^{inner}{_UNDECODED}]", f"[^{inner}]", 1, single=True, characters=others)


def anything() -> Piece:
    """Return the piece that is any character but a newline."""
    return Piece(f"[^\\n{_UNDECODED}]", ".", 1, single=True, characters=_NOT_NEWLINE)


def place(python: str, re2: str) -> Piece:
    """Return a piece that stands for a place and not for a character."""
    return Piece(python, re2, repeatable=False)


def sequence(pieces: list[Piece]) -> Piece:
    """Return the pieces one after the other."""
    return Piece(
        "".join(piece.python for piece in pieces),
        "".join(piece.re2 for piece in pieces),
        sum(piece.size for piece in pieces),
        max((piece.nested for piece in pieces), default=1),
        characters=_all(pieces),
        branches=any(piece.branches for piece in pieces),
        choices=sum(piece.choices for piece in pieces),
        parts=tuple(part for piece in pieces for part in (piece.parts or (piece,))),
    )


def alternatives(pieces: list[Piece]) -> Piece:
    """Return one of the pieces."""
    return Piece(
        "|".join(piece.python for piece in pieces),
        "|".join(piece.re2 for piece in pieces),
        sum(piece.size for piece in pieces),
        max(piece.nested for piece in pieces),
        characters=_all(pieces),
        branches=True,
        choices=1 + sum(piece.choices for piece in pieces),
    )


def group(inner: Piece) -> Piece:
    """Return the piece in parentheses."""
    return Piece(
        f"(?:{inner.python})",
        f"(?:{inner.re2})",
        inner.size,
        inner.nested,
        characters=inner.characters,
        branches=inner.branches,
        choices=inner.choices,
        parts=inner.parts,
    )


def repeated(piece: Piece, quantifier: str, low: int, high: int | None) -> Piece:
    """Return the piece between `low` and `high` times, None for without an end."""
    counted = low if high is None else high
    times = max(counted, 1)
    chosen = low != high
    inside = piece.branches or any(part.varies for part in piece.parts)
    return Piece(
        piece.python + quantifier,
        piece.re2 + quantifier,
        max(piece.size, 1) * times,
        piece.nested * times,
        characters=piece.characters,
        varies=chosen and piece.single,
        branches=not piece.single and (chosen or inside),
        choices=piece.choices + chosen,
    )


def is_quick(group_: Piece) -> bool:
    """Tell whether a text can be divided over repetitions of the group in one way only."""
    varying = [part for part in group_.parts if part.varies]
    if group_.branches or len(varying) > 1:
        return False
    if not varying:
        return True
    parts = group_.parts
    return any(
        edge.single and not any(_overlap(edge.characters, other.characters) for other in others)
        for edge, others in ((parts[0], parts[1:]), (parts[-1], parts[:-1]))
    )


def folded(ranges: Ranges) -> Ranges:
    """Return the ranges with the other case of their ASCII letters."""
    found = list(ranges)
    for low, high in ranges:
        for first, last, shift in ((0x41, 0x5A, 32), (0x61, 0x7A, -32)):
            if max(low, first) <= min(high, last):
                found.append((max(low, first) + shift, min(high, last) + shift))
    return tuple(dict.fromkeys(found))


def _all(pieces: list[Piece]) -> Ranges:
    return tuple(dict.fromkeys(part for piece in pieces for part in piece.characters))


def _complement(ranges: Ranges) -> Ranges:
    found, start = [], 0
    for low, high in sorted(ranges):
        if low > start:
            found.append((start, low - 1))
        start = max(start, high + 1)
    if start <= 0x10FFFF:
        found.append((start, 0x10FFFF))
    return tuple(found)


def _overlap(one: Ranges, other: Ranges) -> bool:
    return any(a <= d and c <= b for a, b in one for c, d in other)


def _quoted(character: str) -> str:
    return f"\\{character}" if character in _SPECIAL else character
