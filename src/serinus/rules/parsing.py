"""A rule's text to its tree: every name is known, every comparison is between like and like.

request.headers['x-region'] in ['cn', 'sg']
  && timestamp(request.headers['x-registered']) >= timestamp('2026-01-01T00:00:00Z')
"""

from __future__ import annotations

from serinus.errors import InvalidRule
from serinus.rules import attributes, syntax, tree
from serinus.rules.operands import Operand, Operands, describe
from serinus.rules.syntax import Expression
from serinus.rules.tree import Attribute, Operator, Predicate, Source

_MIRRORED = {
    Operator.EQUAL: Operator.EQUAL,
    Operator.NOT_EQUAL: Operator.NOT_EQUAL,
    Operator.LESS: Operator.GREATER,
    Operator.LESS_OR_EQUAL: Operator.GREATER_OR_EQUAL,
    Operator.GREATER: Operator.LESS,
    Operator.GREATER_OR_EQUAL: Operator.LESS_OR_EQUAL,
}
_EQUALITY = (Operator.EQUAL, Operator.NOT_EQUAL)


def parse(text: str) -> Predicate:
    """Return the tree of a rule's text.

    Raises:
        InvalidRule: with the position, what is wrong there, and what was expected.
    """
    return _Checker(text).predicate(syntax.read(text))


class _Checker:
    def __init__(self, text: str) -> None:
        self._text = text
        self._operands = Operands(text)

    def _wrong(self, at: Expression, problem: str) -> InvalidRule:
        return InvalidRule(self._text, at.position, problem)

    def predicate(self, expression: Expression) -> Predicate:
        match expression:
            case syntax.Junction():
                return self._junction(expression)
            case syntax.Negation(of):
                return tree.Not(self.predicate(of))
            case syntax.Operation("in", left, right):
                return self._membership(expression, left, right)
            case syntax.Operation(operator) if operator not in "+-":
                return self._comparison(expression)
            case syntax.Call():
                return self._call(expression)
            case syntax.Literal(bool() as value):
                return tree.Always(value)
        found = self._operands.operand(expression)
        raise self._wrong(
            expression, f"{describe(found)} is no condition; compare it, as in == 'a'"
        )

    def _junction(self, junction: syntax.Junction) -> Predicate:
        kind: type[tree.And | tree.Or] = tree.And if junction.operator == "&&" else tree.Or
        parts: list[Predicate] = []
        for part in map(self.predicate, junction.parts):
            parts += part.parts if isinstance(part, kind) else (part,)
        return kind(tuple(parts))

    # Comparisons

    def _comparison(self, operation: syntax.Operation) -> Predicate:
        operator = Operator(operation.operator)
        left = self._operands.operand(operation.left)
        right = self._operands.operand(operation.right)
        at, fixed_at = operation.left, operation.right
        if _is_fixed(left) and not _is_fixed(right):
            left, right, operator = right, left, _MIRRORED[operator]
            at, fixed_at = fixed_at, at
        if not _is_fixed(right):
            raise self._wrong(fixed_at, f"compare with a fixed value, not with {describe(right)}")
        return self._compared(operation, operator, (left, at), (right, fixed_at))

    def _compared(
        self,
        operation: syntax.Operation,
        operator: Operator,
        one: tuple[Operand, Expression],
        other: tuple[Operand, Expression],
    ) -> Predicate:
        (left, at), (right, fixed_at) = one, other
        match left, right:
            case tree.Integer(), int() if not isinstance(right, bool):
                return tree.CompareInteger(left, operator, right)
            case tree.Timestamp(), tree.Moment() | tree.FromNow():
                return tree.CompareTime(left, operator, right)
            case Attribute(), str() if operator in _EQUALITY:
                return tree.CompareText(left, operator, right)
            case Attribute(Source.CLAIM), bool() if operator in _EQUALITY:
                return tree.CompareBoolean(left, operator, right)
            case Attribute(), str():
                raise InvalidRule(
                    self._text,
                    operation.position,
                    f"{operator.value} does not compare texts; write int(...) or timestamp(...)"
                    " around both sides, or == and !=",
                )
        if _is_fixed(left):
            raise self._wrong(at, "both sides are fixed; one must be read from the request")
        raise self._wrong(fixed_at, _mismatch(left, right))

    def _membership(
        self, operation: syntax.Operation, left: Expression, right: Expression
    ) -> Predicate:
        if isinstance(right, syntax.Listing):
            return self._in_list(left, right)
        source = self._operands.map_of(right)
        if source is not None:
            name = self._operands.text(left, f"the name to look for in {source.value}")
            return tree.Present(self._operands.attribute(source, (name,), left))
        found = self._operands.operand(right)
        if isinstance(found, Attribute) and found.source is Source.CLAIM:
            return tree.ListHas(found, self._operands.text(left, "a text to look for in the claim"))
        raise InvalidRule(
            self._text,
            operation.position,
            f"'in' looks into a list or a map, not into {describe(found)};"
            " write attribute in ['a', 'b'] or 'name' in request.headers",
        )

    def _in_list(self, left: Expression, right: syntax.Listing) -> Predicate:
        found = self._operands.operand(left)
        if not right.items:
            raise self._wrong(right, "this list is empty")
        if isinstance(found, Attribute):
            texts = [self._operands.text(item, "a text of the list") for item in right.items]
            return tree.TextIn(found, tuple(texts))
        if isinstance(found, tree.Integer):
            numbers = []
            for item in right.items:
                number = self._operands.operand(item)
                if not isinstance(number, int) or isinstance(number, bool):
                    raise self._wrong(item, f"expected a whole number, found {describe(number)}")
                numbers.append(number)
            return tree.IntegerIn(found, tuple(numbers))
        raise self._wrong(left, f"{describe(found)} cannot be looked for in a list")

    # Functions that are conditions

    def _call(self, call: syntax.Call) -> Predicate:
        if call.of is not None:
            return self._method(call, call.of)
        if call.function == "has":
            argument = self._only(call)
            if not isinstance(argument, syntax.Select):
                raise self._wrong(
                    argument,
                    "has() takes a selection, as in has(request.headers.accept);"
                    " for other names write 'x-name' in request.headers",
                )
            found = self._operands.operand(argument)
            if isinstance(found, Attribute) and found.source.keyed:
                return tree.Present(found)
            raise self._wrong(argument, f"{describe(found)} is always there")
        found = self._operands.operand(call)
        raise self._wrong(call, f"{describe(found)} is no condition; compare it")

    def _method(self, call: syntax.Call, of: Expression) -> Predicate:
        name = call.function
        if name not in attributes.METHODS:
            raise self._wrong(call, attributes.unknown("function", name, attributes.METHODS))
        subject = self._operands.operand(of)
        if name == "containsIP":
            return self._contains(call, subject)
        if not isinstance(subject, Attribute):
            raise self._wrong(of, f"{name} asks a text of the request, not {describe(subject)}")
        argument = self._only(call)
        text = self._operands.text(argument, f"a text for {name}")
        if name == "matches":
            self._operands.pattern(argument, text)
            return tree.Matches(subject, text)
        return tree.HasPart(subject, tree.Part(name), text)

    def _contains(self, call: syntax.Call, subject: Operand) -> Predicate:
        if not isinstance(subject, tree.InNetwork):
            raise self._wrong(call, "write cidr('10.0.0.0/8').containsIP(source.address)")
        argument = self._only(call)
        if not self._operands.is_source_address(argument):
            raise self._wrong(argument, f"containsIP asks for {attributes.SOURCE_ADDRESS}")
        return subject

    def _only(self, call: syntax.Call) -> Expression:
        if len(call.arguments) != 1:
            raise self._wrong(
                call, f"{call.function} takes one argument, not {len(call.arguments)}"
            )
        return call.arguments[0]


def _is_fixed(operand: Operand) -> bool:
    return isinstance(operand, str | int | tree.Moment | tree.FromNow)


def _mismatch(left: Operand, right: Operand) -> str:
    expected = {
        tree.Integer: "a whole number",
        tree.Timestamp: "timestamp('...') or now - duration('...')",
        Attribute: "a text",
    }.get(type(left), "another type")
    hint = ""
    if isinstance(left, Attribute):
        if isinstance(right, bool):
            hint = "; only a claim can be true or false"
        elif isinstance(right, int):
            hint = f"; write int(...) around the attribute, or '{right}'"
        elif isinstance(right, tree.Moment | tree.FromNow):
            hint = "; write timestamp(...) around the attribute"
    return f"expected {expected}, found {describe(right)}{hint}"
