"""One pass over a pattern: what is known becomes a piece, all else is refused."""

from __future__ import annotations

import re

from serinus.rules.pattern import pieces
from serinus.rules.pattern.pieces import Piece, Ranges

REPETITION_MAX = 1_000
"""RE2's own limit, also for repetitions inside each other."""
SIZE_MAX = 5_000
"""Characters and classes once all repetitions are written out."""
DEPTH_MAX = 16
"""How deep groups may stand inside each other."""
CHOICES_MAX = 12
"""Repetitions whose number varies, and groups with `|`: each may double the time of `re`."""

_CLASSES = {"d": pieces.DIGIT, "w": pieces.WORD, "s": pieces.SPACE}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
_QUANTIFIER = re.compile(r"[*+?]|\{([0-9]{1,4})(?:(,)([0-9]{1,4})?)?\}")
_OPENING = re.compile(r"\((\?P?<?[a-zA-Z=!>:#(-]?)?")


class PatternError(ValueError):
    """What is wrong with a pattern, and at which of its characters."""

    def __init__(self, position: int, problem: str) -> None:
        self.position, self.problem = position, problem
        super().__init__(problem)


class Reader:
    """Read one pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._depth = 0
        self._folds = pattern.startswith("(?i)")
        self._position = 4 if self._folds else 0

    def whole(self) -> Piece:
        """Return the pattern as one piece, or raise a PatternError."""
        found = self._alternatives()
        if self._position < len(self._pattern):
            raise self._wrong("')' closes no group; write \\) for the character")
        if found.size > SIZE_MAX:
            raise PatternError(0, f"the pattern is longer than {SIZE_MAX:,} when written out")
        if found.choices > CHOICES_MAX:
            raise PatternError(
                0, f"more than {CHOICES_MAX} repetitions and choices may take long in Python"
            )
        return found

    def _wrong(self, problem: str, back: int = 0) -> PatternError:
        return PatternError(max(self._position - back, 0), problem)

    def _peek(self) -> str:
        return self._pattern[self._position : self._position + 1]

    def _next(self) -> str:
        found = self._peek()
        self._position += len(found)
        return found

    def _alternatives(self) -> Piece:
        found = [self._sequence()]
        while self._peek() == "|":
            self._position += 1
            found.append(self._sequence())
        return found[0] if len(found) == 1 else pieces.alternatives(found)

    def _sequence(self) -> Piece:
        found: list[Piece] = []
        while self._peek() not in ("", "|", ")"):
            found.append(self._repetition(self._atom()))
        return pieces.sequence(found)

    def _repetition(self, piece: Piece) -> Piece:
        match = _QUANTIFIER.match(self._pattern, self._position)
        if match is None:
            if self._peek() == "{":
                raise self._wrong("'{' begins {n}, {n,} or {n,m}; write \\{ for the character")
            return piece
        low, high = self._bounds(match)
        if not piece.repeatable:
            raise self._wrong("there is nothing to repeat here")
        if high != 1 and not piece.single and not pieces.is_quick(piece):
            raise self._wrong(
                "this repetition may take exponential time in Python: a repeated group holds"
                " characters and classes, at most one of them repeated and set off by a first or"
                " last character of another kind, as in (-[a-z]+)*; for (a|b)* write [ab]*"
            )
        lazy = "?" if self._pattern[match.end() : match.end() + 1] == "?" else ""
        found = pieces.repeated(piece, match[0] + lazy, low, high)
        if found.nested > REPETITION_MAX:
            raise self._wrong(f"RE2 repeats at most {REPETITION_MAX:,} times")
        self._position = match.end() + len(lazy)
        if _QUANTIFIER.match(self._pattern, self._position):
            raise self._wrong("a repetition cannot be repeated; put it into a group")
        return found

    def _bounds(self, match: re.Match[str]) -> tuple[int, int | None]:
        if match[1] is None:
            bounds: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None)}
            return bounds.get(match[0], (0, 1))
        low = int(match[1])
        high = int(match[3]) if match[3] else (None if match[2] else low)
        if max(low, high or 0) > REPETITION_MAX:
            raise self._wrong(f"RE2 repeats at most {REPETITION_MAX:,} times")
        if high is not None and high < low:
            raise self._wrong(f"{match[0]} is the wrong way round")
        return low, high

    def _atom(self) -> Piece:
        if self._peek() == "(":
            return self._group()
        if self._peek() == "[":
            return self._class()
        character = self._next()
        if character == ".":
            return pieces.anything()
        if character == "^":
            return pieces.place("^", "^")
        if character == "$":
            return pieces.place(r"\Z", "$")
        if character == "\\":
            return self._escape()
        if character in "*+?":
            raise self._wrong("there is nothing to repeat here", back=1)
        if character in "{}]":
            raise self._wrong(f"write \\{character} for the character", back=1)
        return self._character(character)

    def _character(self, character: str) -> Piece:
        if ord(character) < 0x20 and character not in _CONTROLS.values():
            raise self._wrong("a control character stands in the pattern", back=1)
        ranges = self._folded(((ord(character), ord(character)),))
        return pieces.literal(character) if len(ranges) == 1 else pieces.one_of(ranges)

    def _escape(self) -> Piece:
        letter = self._next()
        if letter == "b":
            return pieces.place(r"\b", r"\b")
        if letter in _CLASSES:
            return pieces.one_of(_CLASSES[letter])
        if letter.lower() in _CLASSES:
            return pieces.one_of(_CLASSES[letter.lower()], negated=True)
        return self._character(self._escaped(letter))

    def _escaped(self, letter: str) -> str:
        """Return the character that an escape stands for."""
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter and letter.isascii() and not letter.isalnum() and letter.isprintable():
            return letter
        known = r"known: \d \w \s \D \W \S \b \n \r \t \f, and signs such as \."
        if letter.isdigit():
            raise self._wrong(f"RE2 has no back-references such as \\{letter}; {known}", back=2)
        raise self._wrong(f"\\{letter} is not known here; {known}", back=1 + len(letter))

    def _group(self) -> Piece:
        start = self._position
        opening = _OPENING.match(self._pattern, start)
        kind = (opening[1] if opening else None) or ""
        if kind not in ("", "?:"):
            why = {"?=": "look-ahead", "?!": "look-ahead", "?<": "look-behind or a name"}
            what = why.get(kind[:2], "a flag or a name" if kind != "?" else "an extension")
            raise self._wrong(
                f"({kind} begins {what}, which is not known here; groups are (...) and (?:...),"
                " and (?i) may stand in front of the whole pattern"
            )
        self._position += 1 + len(kind)
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._wrong(f"at most {DEPTH_MAX} groups may stand inside each other")
        inner = self._alternatives()
        self._depth -= 1
        if self._next() != ")":
            raise PatternError(start, "this group is not closed")
        return pieces.group(inner)

    def _class(self) -> Piece:
        start = self._position
        self._position += 1
        negated = self._peek() == "^"
        self._position += negated
        ranges: list[tuple[int, int]] = []
        while self._peek() != "]":
            if not self._peek():
                raise PatternError(start, "this class is not closed")
            ranges += self._class_item()
        self._position += 1
        if not ranges:
            raise PatternError(start, "this class is empty; write \\] for the character")
        return pieces.one_of(self._folded(tuple(ranges)), negated=negated)

    def _class_item(self) -> Ranges:
        low = self._class_character()
        if not isinstance(low, str):
            return low
        following = self._pattern[self._position : self._position + 2]
        if not following.startswith("-") or following == "-]":
            return ((ord(low), ord(low)),)
        self._position += 1
        high = self._class_character()
        if not isinstance(high, str) or high < low:
            raise self._wrong("this range is the wrong way round", back=1)
        return ((ord(low), ord(high)),)

    def _class_character(self) -> str | Ranges:
        character = self._next()
        if character == "[":
            raise self._wrong("write \\[ for the character; [:names:] are not known", back=1)
        if character != "\\":
            if not character or ord(character) < 0x20:
                raise self._wrong("a class holds characters, ranges and \\d \\w \\s", back=1)
            return character
        letter = self._next()
        return _CLASSES[letter] if letter in _CLASSES else self._escaped(letter)

    def _folded(self, ranges: Ranges) -> Ranges:
        return pieces.folded(ranges) if self._folds else ranges
