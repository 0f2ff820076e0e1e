"""What a rule means: the reference that every router is held to.

A test on a missing value is neither true nor false but unknown (None): `!=` and `!` are not true of
it either. Unknown travels as an error does in CEL: `&&` is false if any part is false, `||` is true
if any part is true, `!` leaves it unknown. A rule hits only where it is true. So "absent or other"
is written `!('x' in request.headers) || request.headers['x'] != 'a'`.
"""

from __future__ import annotations

import functools
import ipaddress
import operator
from collections.abc import Callable
from typing import Any, TypeAlias

from serinus.rules import pattern, reading
from serinus.rules.tree import (
    Always,
    And,
    Attribute,
    CompareBoolean,
    CompareInteger,
    CompareText,
    CompareTime,
    HasPart,
    InNetwork,
    Integer,
    IntegerIn,
    ListHas,
    Matches,
    Moment,
    Not,
    Operator,
    Or,
    Part,
    Predicate,
    Present,
    Request,
    Source,
    TextIn,
    Timestamp,
)

Answer: TypeAlias = bool | None
"""True, false, or unknown."""
Question: TypeAlias = Callable[[Request], Answer]

_COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
}
_NS = 1_000_000


def question(predicate: Predicate) -> Question:
    """Return the predicate as a function: made once, asked of every request."""
    return _question(predicate)


@functools.singledispatch
def _question(predicate: Predicate) -> Question:
    raise TypeError(f"{predicate!r} is no predicate")


@_question.register
def _(test: Always) -> Question:
    return lambda _: test.value


@_question.register
def _(test: Not) -> Question:
    part = _question(test.part)

    def ask(request: Request) -> Answer:
        answer = part(request)
        return None if answer is None else not answer

    return ask


@_question.register
def _(test: And) -> Question:
    return _joined([_question(part) for part in test.parts], deciding=False)


@_question.register
def _(test: Or) -> Question:
    return _joined([_question(part) for part in test.parts], deciding=True)


def _joined(parts: list[Question], *, deciding: bool) -> Question:
    """Answer `deciding` if any part does, else unknown if any part is, else the opposite."""

    def ask(request: Request) -> Answer:
        found: Answer = not deciding
        for part in parts:
            answer = part(request)
            if answer is deciding:
                return deciding
            if answer is None:
                found = None
        return found

    return ask


@_question.register
def _(test: CompareText) -> Question:
    text, right = _text(test.left), test.right
    wanted = test.operator is Operator.EQUAL

    def ask(request: Request) -> Answer:
        found = text(request)
        return None if found is None else (found == right) is wanted

    return ask


@_question.register
def _(test: CompareBoolean) -> Question:
    wanted = (test.operator is Operator.EQUAL) is test.right

    def ask(request: Request) -> Answer:
        found = reading.value(request, test.left)
        return found is wanted if isinstance(found, bool) else None

    return ask


@_question.register
def _(test: CompareInteger) -> Question:
    number, compare, right = _integer(test.left), _COMPARE[test.operator], test.right

    def ask(request: Request) -> Answer:
        found = number(request)
        return None if found is None else compare(found, right)

    return ask


@_question.register
def _(test: CompareTime) -> Question:
    instant_ns, compare, right = _instant_ns(test.left), _COMPARE[test.operator], test.right

    def ask(request: Request) -> Answer:
        found = instant_ns(request)
        if found is None:
            return None
        if isinstance(right, Moment):
            return compare(found, right.at_ms * _NS)
        return compare(found, (request.now_ms + right.offset_ms) * _NS)

    return ask


@_question.register
def _(test: TextIn) -> Question:
    text, values = _text(test.left), frozenset(test.values)

    def ask(request: Request) -> Answer:
        found = text(request)
        return None if found is None else found in values

    return ask


@_question.register
def _(test: IntegerIn) -> Question:
    number, values = _integer(test.left), frozenset(test.values)

    def ask(request: Request) -> Answer:
        found = number(request)
        return None if found is None else found in values

    return ask


@_question.register
def _(test: HasPart) -> Question:
    text, part = _text(test.left), test.text
    has = str.startswith if test.part is Part.START else str.endswith

    def ask(request: Request) -> Answer:
        found = text(request)
        return None if found is None else has(found, part)

    return ask


@_question.register
def _(test: Matches) -> Question:
    text, search = _text(test.left), pattern.compiled(test.pattern).search

    def ask(request: Request) -> Answer:
        found = text(request)
        return None if found is None else search(found) is not None

    return ask


@_question.register
def _(test: Present) -> Question:
    return lambda request: reading.value(request, test.attribute) is not None


@_question.register
def _(test: ListHas) -> Question:
    def ask(request: Request) -> Answer:
        found = reading.value(request, test.claim)
        return test.text in found if isinstance(found, list) else None

    return ask


@_question.register
def _(test: InNetwork) -> Question:
    network = ipaddress.ip_network(test.network)

    def ask(request: Request) -> Answer:
        found = reading.address(request.source_address)
        return None if found is None else found in network

    return ask


def _text(attribute: Attribute) -> Callable[[Request], str | None]:
    """Return how the attribute is read as a text."""
    if attribute.source is Source.HEADER:
        name = attribute.key[0]
        return lambda request: reading.header(request.headers, name)

    def read(request: Request) -> str | None:
        found = reading.value(request, attribute)
        return found if isinstance(found, str) else None

    return read


def _integer(number: Integer) -> Callable[[Request], int | None]:
    return lambda request: reading.integer(reading.value(request, number.of))


def _instant_ns(instant: Timestamp) -> Callable[[Request], int | None]:
    of = instant.of
    if isinstance(of, Integer):
        number = _integer(of)
        return lambda request: reading.epoch_ns(number(request))
    return lambda request: reading.timestamp_ns(reading.value(request, of))
