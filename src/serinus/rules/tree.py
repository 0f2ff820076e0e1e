"""The typed tree of a rule, and the request that it is asked about.

Plain dataclasses, so that the middleware needs no compiled model (docs/adr/0022). A tree that can
be made is canonical: `printing.text_of` writes it and `parsing.parse` reads the same tree again.
What each node means, missing values above all, stands in `evaluation` and nowhere else.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from serinus.errors import InvariantViolation

KEYWORDS = ("true", "false", "null", "in")
"""Names that the text form has taken."""


class Request(NamedTuple):
    """What a predicate and the sources of an identity may read, as the client sent it.

    Texts are UTF-8; bytes that are not are kept as Python's `surrogateescape` has them.
    """

    method: str = "GET"
    path: str = "/"
    """Up to the question mark, percent-encoded as sent."""
    query: str | None = None
    """After the question mark, as sent; None when there was none."""
    host: str | None = None
    """The Host header or `:authority`, port included."""
    headers: Mapping[str, Sequence[str]] = {}
    """Lower-case name to the values in the order of arrival. `cookie` is one of them."""
    source_address: str | None = None
    """The client's address without port."""
    claims: Mapping[str, Any] | None = None
    """The payload of a verified JWT; None when there is none."""
    now_ms: int = 0


class Source(enum.Enum):
    """Where an attribute is read; the value is how the text form says it."""

    METHOD = "request.method"
    PATH = "request.path"
    HOST = "request.host"
    HEADER = "request.headers"
    COOKIE = "request.cookies"
    QUERY = "request.query"
    CLAIM = "request.claims"

    @property
    def keyed(self) -> bool:
        """Tell whether it holds many values, each under a name."""
        return self in (Source.HEADER, Source.COOKIE, Source.QUERY, Source.CLAIM)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One value of the request.

    `key` is empty for method, path and host; one name for a header (lower case), a cookie or a
    query parameter; one name or more, from the outside in, for a claim.
    """

    source: Source
    key: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.key) != self.source.keyed or (
            len(self.key) > 1 and self.source is not Source.CLAIM
        ):
            raise InvariantViolation(f"{self.source.value} cannot have the key {self.key}")
        if self.source is Source.HEADER and self.key[0] != self.key[0].lower():
            raise InvariantViolation(f"the header {self.key[0]!r} is not in lower case")


@dataclass(frozen=True, slots=True)
class Integer:
    """`int(...)`: a text of digits, or a claim that is a whole number."""

    of: Attribute


@dataclass(frozen=True, slots=True)
class Timestamp:
    """`timestamp(...)`: a text in RFC 3339, or `int(...)` in seconds since the epoch."""

    of: Attribute | Integer


@dataclass(frozen=True, slots=True)
class Moment:
    """`timestamp('2026-01-01T00:00:00Z')`: a fixed instant."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class FromNow:
    """`now`, `now - duration('720h')` (negative) or `now + duration('720h')`."""

    offset_ms: int = 0


class Operator(enum.Enum):
    """How two values are compared."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


@dataclass(frozen=True, slots=True)
class CompareText:
    """An attribute is, or is not, exactly this text; only EQUAL and NOT_EQUAL."""

    left: Attribute
    operator: Operator
    right: str

    def __post_init__(self) -> None:
        _equality_only(self.operator)


@dataclass(frozen=True, slots=True)
class CompareBoolean:
    """A claim is, or is not, the JSON value true or false; only EQUAL and NOT_EQUAL."""

    left: Attribute
    operator: Operator
    right: bool

    def __post_init__(self) -> None:
        _equality_only(self.operator)
        _claim_only(self.left)


@dataclass(frozen=True, slots=True)
class CompareInteger:
    """A whole number against a fixed one."""

    left: Integer
    operator: Operator
    right: int


@dataclass(frozen=True, slots=True)
class CompareTime:
    """An instant of the request against a fixed one, or against now."""

    left: Timestamp
    operator: Operator
    right: Moment | FromNow


@dataclass(frozen=True, slots=True)
class TextIn:
    """`attribute in ['a', 'b']`: exactly one of these texts."""

    left: Attribute
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IntegerIn:
    """`int(attribute) in [1, 2]`."""

    left: Integer
    values: tuple[int, ...]


class Part(enum.Enum):
    """Which part of a text is looked at."""

    START = "startsWith"
    END = "endsWith"


@dataclass(frozen=True, slots=True)
class HasPart:
    """`attribute.startsWith('a')`, `attribute.endsWith('z')`."""

    left: Attribute
    part: Part
    text: str


@dataclass(frozen=True, slots=True)
class Matches:
    """`attribute.matches('^a|z$')`: the pattern is found anywhere in the text (`pattern`)."""

    left: Attribute
    pattern: str


@dataclass(frozen=True, slots=True)
class Present:
    """`'name' in request.headers`: the attribute is there, empty or not."""

    attribute: Attribute

    def __post_init__(self) -> None:
        if not self.attribute.source.keyed:
            raise InvariantViolation(f"{self.attribute.source.value} is always there")
        *outer, name = self.attribute.key
        if outer and not (name.isascii() and name.isidentifier() and name not in KEYWORDS):
            raise InvariantViolation(f"the text form cannot ask for {name!r} inside a claim")


@dataclass(frozen=True, slots=True)
class ListHas:
    """`'admin' in request.claims['roles']`: a claim that is a list holds this text."""

    claim: Attribute
    text: str

    def __post_init__(self) -> None:
        _claim_only(self.claim)


@dataclass(frozen=True, slots=True)
class InNetwork:
    """`cidr('10.0.0.0/8').containsIP(source.address)`; `network` in its canonical text."""

    network: str


@dataclass(frozen=True, slots=True)
class Always:
    """`true` or `false`: the same for every request."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """`!part`."""

    part: Predicate


@dataclass(frozen=True, slots=True)
class And:
    """`a && b && c`: two parts or more, none of them an And."""

    parts: tuple[Predicate, ...]

    def __post_init__(self) -> None:
        if len(self.parts) < 2 or any(isinstance(part, And) for part in self.parts):
            raise InvariantViolation("an And has two parts or more, and none is an And")


@dataclass(frozen=True, slots=True)
class Or:
    """`a || b || c`: two parts or more, none of them an Or."""

    parts: tuple[Predicate, ...]

    def __post_init__(self) -> None:
        if len(self.parts) < 2 or any(isinstance(part, Or) for part in self.parts):
            raise InvariantViolation("an Or has two parts or more, and none is an Or")


Test: TypeAlias = (
    CompareText
    | CompareBoolean
    | CompareInteger
    | CompareTime
    | TextIn
    | IntegerIn
    | HasPart
    | Matches
    | Present
    | ListHas
    | InNetwork
    | Always
)
"""A predicate that asks one thing."""

Predicate: TypeAlias = Test | Not | And | Or


class Destination(enum.Enum):
    """Where a rule sends the requests that it hits."""

    CANARY = "canary"
    STABLE = "stable"
    PERCENTAGE = "percentage"
    """To the user's own bucket, as if no rule had hit; later rules are not asked."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Send the requests that `when` is true of; the first rule that hits decides."""

    name: str
    when: Predicate
    to: Destination


def _equality_only(operator: Operator) -> None:
    if operator not in (Operator.EQUAL, Operator.NOT_EQUAL):
        raise InvariantViolation(f"{operator.value} does not compare these")


def _claim_only(attribute: Attribute) -> None:
    if attribute.source is not Source.CLAIM:
        raise InvariantViolation(f"{attribute.source.value} holds texts only")
