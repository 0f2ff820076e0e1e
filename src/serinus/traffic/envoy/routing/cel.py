"""Conditions that only Envoy's expression language can say, computed before a route is chosen.

Within `%CEL(...)%` no percent sign may stand, so texts are escaped down to letters and digits.
An expression that fails is not true, which is what a missing value asks for.
"""

from __future__ import annotations

import xxhash

from serinus.traffic.envoy.routing.match import Computed, Match, computed, exact

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/ ")


def literal(text: str) -> str:
    """Return a text of the expression language."""
    return "'" + "".join(c if c in _PLAIN else _escaped(c) for c in text) + "'"


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x1_0000 else f"\\U{code:08x}"


def holds(expression: str) -> Match:
    """Return the match of an expression that is true; equal ones are computed once."""
    key = f"serinus.condition.{xxhash.xxh64_hexdigest(expression.encode())}"
    return computed(Computed(key, f"%CEL({expression})%"), exact("true"))
