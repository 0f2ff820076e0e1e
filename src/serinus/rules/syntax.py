"""The shape of a rule's text: what stands inside what, before anything is known about types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from serinus.errors import InvalidRule
from serinus.rules.lexing import Kind, Token, tokens
from serinus.rules.tree import KEYWORDS

DEPTH_MAX = 32
"""How deep parentheses, lists, negations and selections may stand inside each other."""
RELATIONS = ("==", "!=", "<", "<=", ">", ">=", "in")


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a whole number, or true or false."""

    value: str | int | bool
    position: int


@dataclass(frozen=True, slots=True)
class Name:
    """A name that stands alone."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Select:
    """`of.name`."""

    of: Expression
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Index:
    """`of[key]`."""

    of: Expression
    key: Expression
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)` or `of.function(arguments)`."""

    of: Expression | None
    function: str
    arguments: tuple[Expression, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Listing:
    """`[item, item]`."""

    items: tuple[Expression, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Negation:
    """`!of`."""

    of: Expression
    position: int


@dataclass(frozen=True, slots=True)
class Operation:
    """`left operator right`; the position is the operator's."""

    operator: str
    left: Expression
    right: Expression
    position: int


@dataclass(frozen=True, slots=True)
class Junction:
    """`a && b && c` or `a || b || c`."""

    operator: str
    parts: tuple[Expression, ...]
    position: int


Expression: TypeAlias = (
    Literal | Name | Select | Index | Call | Listing | Negation | Operation | Junction
)


_Part: TypeAlias = Callable[[], Expression]


def read(text: str) -> Expression:
    """Return the shape of a rule's text.

    Raises:
        InvalidRule: with the position, and what was expected there.
    """
    reader = _Reader(text)
    found = reader.disjunction()
    if reader.token.kind is not Kind.END:
        raise reader.unexpected("&&, || or the end")
    return found


class _Reader:
    """One function for each level of binding, from the loosest to the tightest."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._index = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._index]

    def unexpected(self, expected: str) -> InvalidRule:
        token = self.token
        return InvalidRule(self._text, token.position, f"expected {expected}, found {token}")

    def disjunction(self) -> Expression:
        self._deeper()
        found = self._junction("||", lambda: self._junction("&&", self._relation))
        self._depth -= 1
        return found

    def _junction(self, operator: str, part: _Part) -> Expression:
        position = self.token.position
        parts = [part()]
        while self._take(operator):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Junction(operator, tuple(parts), position)

    def _relation(self) -> Expression:
        left = self._sum()
        token = self.token
        if not self._is_word(token, *RELATIONS):
            return left
        self._index += 1
        found = Operation(str(token.value), left, self._sum(), token.position)
        if self._is_word(self.token, *RELATIONS):
            raise self.unexpected("&&, || or the end after a comparison")
        return found

    def _sum(self) -> Expression:
        left = self._unary()
        token = self.token
        if not self._is_word(token, "+", "-"):
            return left
        self._index += 1
        return Operation(str(token.value), left, self._unary(), token.position)

    def _unary(self) -> Expression:
        position = self.token.position
        if self._take("!"):
            self._deeper()
            found = Negation(self._unary(), position)
            self._depth -= 1
            return found
        if self._take("-"):
            token = self.token
            if token.kind is not Kind.INTEGER:
                raise self.unexpected("a whole number after '-'")
            self._index += 1
            return Literal(-int(token.value), position)
        return self._member()

    def _member(self) -> Expression:
        found = self._primary()
        length = 0
        while True:
            length += 1
            if length > DEPTH_MAX:
                raise self.unexpected(f"at most {DEPTH_MAX} selections")
            position = self.token.position
            if self._take("."):
                found = self._selection(found)
            elif self._take("["):
                key = self.disjunction()
                self._expect("]")
                found = Index(found, key, position)
            else:
                return found

    def _selection(self, of: Expression) -> Expression:
        token = self.token
        if token.kind is not Kind.NAME or token.value in KEYWORDS:
            raise self.unexpected("a name after '.'; write ['...'] for any other")
        self._index += 1
        if self._take("("):
            return Call(of, str(token.value), self._items(")"), token.position)
        return Select(of, str(token.value), token.position)

    def _primary(self) -> Expression:
        token = self.token
        if token.kind in (Kind.TEXT, Kind.INTEGER):
            self._index += 1
            return Literal(token.value, token.position)
        if self._is_word(token, "true", "false"):
            self._index += 1
            return Literal(token.value == "true", token.position)
        if token.kind is Kind.NAME and token.value not in KEYWORDS:
            self._index += 1
            if self._take("("):
                return Call(None, str(token.value), self._items(")"), token.position)
            return Name(str(token.value), token.position)
        if self._take("("):
            found = self.disjunction()
            self._expect(")")
            return found
        if self._take("["):
            return Listing(self._items("]"), token.position)
        raise self.unexpected("an attribute such as request.headers['x'], a text, or '('")

    def _items(self, closing: str) -> tuple[Expression, ...]:
        found: list[Expression] = []
        if self._take(closing):
            return ()
        while True:
            found.append(self.disjunction())
            if self._take(closing):
                return tuple(found)
            if not self._take(","):
                raise self.unexpected(f"',' or '{closing}'")

    @staticmethod
    def _is_word(token: Token, *words: str) -> bool:
        return token.kind in (Kind.SIGN, Kind.NAME) and token.value in words

    def _take(self, sign: str) -> bool:
        if self.token.kind is Kind.SIGN and self.token.value == sign:
            self._index += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self.unexpected(f"'{sign}'")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self.unexpected(f"at most {DEPTH_MAX} levels")
