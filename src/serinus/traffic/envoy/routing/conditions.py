"""Rules as matchers of routes: each rule becomes the alternatives of which one must hold.

Negations are pushed inwards, since a matcher can be inverted and a route cannot; a matcher on a
missing value never holds, inverted or not, which is how `serinus.rules.evaluation` has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from serinus.errors import InvalidInput
from serinus.rules.printing import text_of
from serinus.rules.tree import And, Not, Or, Predicate, Rule, Test
from serinus.traffic.envoy.routing.match import EVERYTHING, Match
from serinus.traffic.envoy.routing.tests import matches
from serinus.traffic.envoy.routing.unsayable import Unsayable

ALTERNATIVES_MAX = 64


def alternatives(rules: Sequence[Rule]) -> list[tuple[Rule, list[Match]]]:
    """Return for each rule the matches of which one must hold.

    Raises:
        InvalidInput: Envoy cannot say a rule; each with its place in the rule's text, and why.
    """
    found, problems = [], []
    for rule in rules:
        try:
            found.append((rule, _holds(rule.when, wanted=True)))
        except Unsayable as error:
            problems.append(f"rule {rule.name!r}{_where(rule.when, error.test)}: {error}")
    if problems:
        raise InvalidInput("what Envoy cannot say", problems)
    return found


def _where(whole: Predicate, part: Test | None) -> str:
    if part is None:
        return ""
    text = text_of(part)
    return f", column {text_of(whole).find(text) + 1}, `{text}`"


def _holds(predicate: Predicate, *, wanted: bool) -> list[Match]:
    """Return the matches of which one holds where the predicate is known to be `wanted`."""
    if isinstance(predicate, Not):
        return _holds(predicate.part, wanted=not wanted)
    if isinstance(predicate, And | Or):
        parts = [_holds(part, wanted=wanted) for part in predicate.parts]
        if isinstance(predicate, Or) is wanted:
            return _bounded([match for part in parts for match in part])
        return _all_of(parts)
    return matches(predicate, wanted=wanted)


def _all_of(parts: Iterable[Sequence[Match]]) -> list[Match]:
    found = [EVERYTHING]
    for part in parts:
        found = _bounded([one.also(other) for one in found for other in part])
    return found


def _bounded(found: list[Match]) -> list[Match]:
    if len(found) > ALTERNATIVES_MAX:
        raise Unsayable(
            None,
            f"it has more than {ALTERNATIVES_MAX} alternatives when its `||` are multiplied out;"
            " make several rules of it, or write `in [...]` for texts of one attribute",
        )
    return found
