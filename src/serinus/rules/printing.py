"""A tree to the text that `parsing.parse` reads as the same tree."""

from __future__ import annotations

from serinus.rules import tree, units
from serinus.rules.tree import Attribute, Predicate

_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x20), 0x7F)} | {
    ord("\\"): "\\\\",
    ord("'"): "\\'",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}


def text_of(predicate: Predicate) -> str:
    """Return the text form, with parentheses only where they are needed."""
    match predicate:
        case tree.And(parts):
            return " && ".join(_inside(part, tree.Or) for part in parts)
        case tree.Or(parts):
            return " || ".join(_inside(part) for part in parts)
        case tree.Not(part):
            return f"!{_negated(part)}"
    return _test(predicate)


def _inside(part: Predicate, *looser: type) -> str:
    text = text_of(part)
    return f"({text})" if isinstance(part, looser) else text


def _negated(part: Predicate) -> str:
    tight = tree.Not | tree.Always | tree.HasPart | tree.Matches | tree.InNetwork
    text = text_of(part)
    return text if isinstance(part, tight) or text.startswith("has(") else f"({text})"


def _test(test: Predicate) -> str:
    match test:
        case tree.Always(value):
            return _boolean(value)
        case tree.CompareText(left, operator, text):
            return f"{_attribute(left)} {operator.value} {_literal(text)}"
        case tree.CompareBoolean(left, operator, value):
            return f"{_attribute(left)} {operator.value} {_boolean(value)}"
        case tree.CompareInteger():
            return f"{_integer(test.left)} {test.operator.value} {test.right}"
        case tree.CompareTime():
            return f"{_timestamp(test.left)} {test.operator.value} {_instant(test.right)}"
        case tree.TextIn(left, values):
            return f"{_attribute(left)} in [{', '.join(map(_literal, values))}]"
        case tree.IntegerIn(number, numbers):
            return f"{_integer(number)} in [{', '.join(map(str, numbers))}]"
        case _:
            return _other_test(test)


def _other_test(test: Predicate) -> str:
    match test:
        case tree.HasPart(left, part, text):
            return f"{_attribute(left)}.{part.value}({_literal(text)})"
        case tree.Matches(left, pattern):
            return f"{_attribute(left)}.matches({_pattern(pattern)})"
        case tree.Present(attribute):
            return _present(attribute)
        case tree.ListHas(claim, text):
            return f"{_literal(text)} in {_attribute(claim)}"
        case tree.InNetwork(network):
            return f"cidr({_literal(network)}).containsIP(source.address)"
    raise TypeError(f"{test!r} is no test")


def _present(attribute: Attribute) -> str:
    if len(attribute.key) == 1:
        return f"{_literal(attribute.key[0])} in {attribute.source.value}"
    outer = Attribute(attribute.source, attribute.key[:-1])
    return f"has({_attribute(outer)}.{attribute.key[-1]})"


def _attribute(attribute: Attribute) -> str:
    keys = "".join(f"[{_literal(key)}]" for key in attribute.key)
    return attribute.source.value + keys


def _integer(integer: tree.Integer) -> str:
    return f"int({_attribute(integer.of)})"


def _timestamp(timestamp: tree.Timestamp) -> str:
    of = timestamp.of
    return f"timestamp({_integer(of) if isinstance(of, tree.Integer) else _attribute(of)})"


def _instant(instant: tree.Moment | tree.FromNow) -> str:
    if isinstance(instant, tree.Moment):
        return f"timestamp('{units.format_timestamp(instant.at_ms)}')"
    if instant.offset_ms == 0:
        return "now"
    sign = "-" if instant.offset_ms < 0 else "+"
    return f"now {sign} duration('{units.format_duration(abs(instant.offset_ms))}')"


def _boolean(value: object) -> str:
    return "true" if value else "false"


def _literal(value: str) -> str:
    return f"'{value.translate(_ESCAPES)}'"


def _pattern(pattern: str) -> str:
    """Prefer the raw form, in which a backslash is itself."""
    raw = "\\" in pattern and pattern.isprintable() and "'" not in pattern
    return f"r'{pattern}'" if raw else _literal(pattern)
