"""What a rule reads of a request."""

from __future__ import annotations

from collections.abc import Iterator

from serinus.rules import tree
from serinus.rules.tree import Attribute, Predicate, Test


def tests_of(predicate: Predicate) -> Iterator[Test]:
    """Yield the tests of a predicate, from left to right."""
    match predicate:
        case tree.Not(part):
            yield from tests_of(part)
        case tree.And(parts) | tree.Or(parts):
            for part in parts:
                yield from tests_of(part)
        case _:
            yield predicate


def attributes_of(predicate: Predicate) -> frozenset[Attribute]:
    """Return the attributes that a predicate reads; the client's address is none of them."""
    return frozenset(
        found for test in tests_of(predicate) for found in (_attribute(test),) if found is not None
    )


def _attribute(test: Test) -> Attribute | None:
    match test:
        case tree.Present(attribute):
            return attribute
        case tree.ListHas(claim):
            return claim
        case tree.CompareInteger(number) | tree.IntegerIn(number):
            return number.of
        case tree.CompareTime(instant):
            return instant.of.of if isinstance(instant.of, tree.Integer) else instant.of
        case tree.InNetwork() | tree.Always():
            return None
    return test.left
