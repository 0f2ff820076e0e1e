"""Instants of a request, compared: whole seconds as numbers, others as expressions."""

from __future__ import annotations

from serinus.rules.reading import INTEGER_PATTERN, SECONDS_MAX, SECONDS_MIN, TIMESTAMP_PATTERN
from serinus.rules.tree import (
    Attribute,
    CompareInteger,
    CompareTime,
    FromNow,
    Integer,
    Moment,
    Operator,
    Source,
)
from serinus.traffic.envoy.routing.cel import holds, literal
from serinus.traffic.envoy.routing.match import Match
from serinus.traffic.envoy.routing.unsayable import Unsayable

_SECOND_MS = 1_000


def expression(test: CompareTime, *, wanted: bool) -> Match:
    """Return the match where the comparison is known to be `wanted`."""
    left, guard = _left(test)
    right = _right(test.right)
    compared = f"{left} {test.operator.value} {right}"
    return holds(f"{guard} && {compared if wanted else f'!({compared})'}")


def whole_seconds(test: CompareTime) -> list[CompareInteger] | None:
    """Return a comparison of seconds with a fixed instant as one of numbers, and its range.

    The first is the comparison; the others have to hold too. None where it is none.
    """
    if not isinstance(test.left.of, Integer) or not isinstance(test.right, Moment):
        return None
    seconds, rest_ms = divmod(test.right.at_ms, _SECOND_MS)
    operator = test.operator
    if rest_ms and operator in (Operator.EQUAL, Operator.NOT_EQUAL):
        seconds = SECONDS_MAX + 1  # no whole second is that instant
    elif rest_ms and operator in (Operator.LESS, Operator.GREATER_OR_EQUAL):
        seconds += 1
    number = test.left.of
    return [
        CompareInteger(number, operator, seconds),
        CompareInteger(number, Operator.GREATER_OR_EQUAL, SECONDS_MIN),
        CompareInteger(number, Operator.LESS_OR_EQUAL, SECONDS_MAX),
    ]


def _left(test: CompareTime) -> tuple[str, str]:
    """Return the instant of the request, and what must hold for it to be one."""
    of = test.left.of
    attribute = of.of if isinstance(of, Integer) else of
    name = _header(test, attribute)
    if isinstance(of, Integer):
        inside = f"int({name}) >= {SECONDS_MIN} && int({name}) <= {SECONDS_MAX}"
        return f"timestamp(int({name}))", f"{_looks_like(name, INTEGER_PATTERN)} && {inside}"
    return f"timestamp({name})", _looks_like(name, TIMESTAMP_PATTERN)


def _header(test: CompareTime, attribute: Attribute) -> str:
    if attribute.source is not Source.HEADER:
        raise Unsayable(
            test, f"an instant can only be read from a header, not from {attribute.source.value}"
        )
    return f"request.headers[{literal(attribute.key[0])}]"


def _looks_like(name: str, pattern: str) -> str:
    return f"{name}.matches({literal(pattern)})"


def _right(right: Moment | FromNow) -> str:
    if isinstance(right, FromNow):
        return f"request.time + duration({literal(f'{_decimal(right.offset_ms)}s')})"
    seconds, rest_ms = divmod(right.at_ms, _SECOND_MS)
    if rest_ms == 0:
        return f"timestamp({seconds})"
    return f"timestamp({seconds}) + duration({literal(f'{rest_ms}ms')})"


def _decimal(ms: int) -> str:
    sign, ms = ("-", -ms) if ms < 0 else ("", ms)
    return f"{sign}{ms // _SECOND_MS}.{ms % _SECOND_MS:03d}"
