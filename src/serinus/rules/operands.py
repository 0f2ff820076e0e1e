"""The sides of a comparison: attributes of the request, and fixed values."""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

from serinus.errors import InvalidRule
from serinus.rules import attributes, pattern, syntax, tree, units
from serinus.rules.syntax import Expression
from serinus.rules.tree import Attribute, Source

Operand: TypeAlias = (
    Attribute
    | tree.Integer
    | tree.Timestamp
    | tree.Moment
    | tree.FromNow
    | tree.InNetwork
    | str
    | int
    | bool
)
"""What an expression that is no condition may be; `InNetwork` is a network by itself here."""

_NAMES = (*attributes.ATTRIBUTES, attributes.SOURCE_ADDRESS, "now")


def describe(operand: Operand) -> str:
    """Return the words for an operand in a message."""
    match operand:
        case bool():
            return "true" if operand else "false"
        case int():
            return "a whole number"
        case str():
            return "a text"
        case Attribute(source):
            return source.value if not source.keyed else f"a value of {source.value}"
        case tree.Integer():
            return "int(...)"
        case tree.Timestamp():
            return "timestamp(...)"
        case tree.Moment():
            return "a fixed timestamp"
        case tree.FromNow():
            return "now"
        case tree.InNetwork():
            return "cidr(...)"


class Operands:
    """Read the operands of one rule's text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _wrong(self, at: Expression, problem: str) -> InvalidRule:
        return InvalidRule(self._text, at.position, problem)

    def operand(self, expression: Expression) -> Operand:
        """Return what the expression stands for."""
        match expression:
            case syntax.Literal(value):
                return value
            case syntax.Name() | syntax.Select():
                return self._named(expression)
            case syntax.Index(of, key):
                return self._keyed(of, self.text(key, "a name in quotes"), expression)
            case syntax.Call():
                return self._call(expression)
            case syntax.Operation("+" | "-"):
                return self._from_now(expression)
        raise self._wrong(expression, "expected an attribute or a fixed value, found a condition")

    def text(self, expression: Expression, what: str) -> str:
        """Return the text in quotes that must stand here."""
        if isinstance(expression, syntax.Literal) and isinstance(expression.value, str):
            return expression.value
        raise self._wrong(expression, f"expected {what} in quotes")

    def map_of(self, expression: Expression) -> Source | None:
        """Return the source of which the expression is the whole map, if it is one."""
        source = attributes.ATTRIBUTES.get(self._dotted(expression) or "")
        return source if source is not None and source.keyed else None

    def is_source_address(self, expression: Expression) -> bool:
        """Tell whether the expression is `source.address`."""
        return self._dotted(expression) == attributes.SOURCE_ADDRESS

    def attribute(self, source: Source, key: tuple[str, ...], at: Expression) -> Attribute:
        """Return the value of a map under its name."""
        if source is Source.HEADER:
            key = (key[0].lower(),)
        problem = attributes.key_problem(source, key[0])
        if problem:
            raise self._wrong(at, problem)
        return Attribute(source, key)

    def pattern(self, at: Expression, text: str) -> None:
        """Refuse a pattern that Python and RE2 do not read alike."""
        try:
            pattern.compiled(text)
        except pattern.PatternError as error:
            raise self._wrong(
                at, f"character {error.position + 1} of the pattern: {error.problem}"
            ) from error

    @staticmethod
    def _dotted(expression: Expression) -> str | None:
        names: list[str] = []
        while isinstance(expression, syntax.Select):
            names.append(expression.name)
            expression = expression.of
        if not isinstance(expression, syntax.Name):
            return None
        return ".".join([expression.name, *reversed(names)])

    def _named(self, expression: syntax.Name | syntax.Select) -> Operand:
        name = self._dotted(expression)
        if name == "now":
            return tree.FromNow()
        source = attributes.ATTRIBUTES.get(name or "")
        if source is not None:
            if source.keyed:
                raise self._wrong(expression, f"name one value of it, as in {name}['name']")
            return Attribute(source)
        if name == attributes.SOURCE_ADDRESS:
            raise self._wrong(
                expression, f"an address is asked as cidr('10.0.0.0/8').containsIP({name})"
            )
        if isinstance(expression, syntax.Select) and not self._is_namespace(expression.of):
            return self._keyed(expression.of, expression.name, expression)
        raise self._wrong(
            expression, attributes.unknown("attribute", name or expression.name, _NAMES)
        )

    @staticmethod
    def _is_namespace(expression: Expression) -> bool:
        return isinstance(expression, syntax.Name) and expression.name not in _NAMES

    def _keyed(self, of: Expression, key: str, at: Expression) -> Attribute:
        source = self.map_of(of)
        if source is not None:
            return self.attribute(source, (key,), at)
        outer = self.operand(of)
        if isinstance(outer, Attribute) and outer.source is Source.CLAIM:
            return Attribute(Source.CLAIM, (*outer.key, key))
        raise self._wrong(at, f"{describe(outer)} has nothing under a name")

    def _call(self, call: syntax.Call) -> Operand:
        if call.of is not None:
            raise self._wrong(call, f"{call.function}(...) is a condition, not a value")
        if call.function not in attributes.FUNCTIONS:
            words = attributes.unknown("function", call.function, attributes.FUNCTIONS)
            raise self._wrong(call, words)
        if len(call.arguments) != 1:
            raise self._wrong(
                call, f"{call.function} takes one argument, not {len(call.arguments)}"
            )
        argument = call.arguments[0]
        match call.function:
            case "int":
                return self._integer(argument)
            case "timestamp":
                return self._timestamp(argument)
            case "cidr":
                return self._network(argument)
            case "duration":
                raise self._wrong(call, "a duration is counted from now: now - duration('720h')")
        raise self._wrong(call, "has(...) is a condition, not a value")

    def _integer(self, argument: Expression) -> tree.Integer:
        found = self.operand(argument)
        if not isinstance(found, Attribute):
            raise self._wrong(argument, f"int() reads an attribute, not {describe(found)}")
        return tree.Integer(found)

    def _timestamp(self, argument: Expression) -> tree.Timestamp | tree.Moment:
        found = self.operand(argument)
        if isinstance(found, str):
            try:
                return tree.Moment(units.parse_timestamp(found))
            except ValueError as error:
                raise self._wrong(argument, str(error)) from error
        if isinstance(found, Attribute | tree.Integer):
            return tree.Timestamp(found)
        raise self._wrong(
            argument, f"timestamp() reads an attribute, int(...) or a text, not {describe(found)}"
        )

    def _network(self, argument: Expression) -> tree.InNetwork:
        text = self.text(argument, "a network such as '10.0.0.0/8'")
        try:
            found = ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise self._wrong(
                argument, f"{text!r} is no network; write '10.0.0.0/8' or '2001:db8::/32'"
            ) from error
        if "/" not in text or str(found) != str(text).lower():
            raise self._wrong(argument, f"{text!r} is written '{found}'")
        return tree.InNetwork(str(found))

    def _from_now(self, operation: syntax.Operation) -> tree.FromNow:
        now, span = operation.left, operation.right
        if not (isinstance(now, syntax.Name) and now.name == "now"):
            raise self._wrong(now, "only now may be counted from: now - duration('720h')")
        is_duration = (
            isinstance(span, syntax.Call) and span.of is None and span.function == "duration"
        )
        if not isinstance(span, syntax.Call) or not is_duration or len(span.arguments) != 1:
            raise self._wrong(span, "expected duration('720h')")
        text = self.text(span.arguments[0], "a duration such as '720h'")
        try:
            offset_ms = units.parse_duration(text)
        except ValueError as error:
            raise self._wrong(span.arguments[0], str(error)) from error
        return tree.FromNow(-offset_ms if operation.operator == "-" else offset_ms)
