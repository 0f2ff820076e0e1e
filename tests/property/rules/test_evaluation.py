"""A rule means what CEL says that its text means."""

from __future__ import annotations

import datetime as dt
from typing import Any

import cel
from hypothesis import assume, given, settings

from serinus.rules import reading, tree, walk
from serinus.rules.evaluation import question
from serinus.rules.printing import text_of
from serinus.rules.tree import Predicate, Request
from tests.property.rules import strategies


def context(request: Request) -> dict[str, Any]:
    """Return the request as the maps that a CEL engine sees: what is missing is not in them."""
    headers = {name: ",".join(found) for name, found in request.headers.items()}
    known = {
        "method": request.method,
        "path": request.path,
        "host": request.host,
        "headers": headers,
        "cookies": dict(reversed(list(reading.cookies(request.headers)))),
        "query": dict(reversed(list(reading.parameters(request.query)))),
        "claims": request.claims or {},
    }
    now = dt.datetime.fromtimestamp(request.now_ms / 1000, dt.UTC)
    return {"request": {k: v for k, v in known.items() if v is not None}, "now": now}


def by_cel(predicate: Predicate, request: Request) -> bool | None:
    """Ask a CEL engine; an error is unknown."""
    try:
        found = cel.evaluate(text_of(predicate), context(request))
    except (KeyError, ValueError, TypeError, RuntimeError, OverflowError):
        return None
    return found if isinstance(found, bool) else None


def is_plain_cel(test: Predicate) -> bool:
    """Tell whether the engine can say it.

    `cidr` is Kubernetes' own, claims have types with us, this engine's timestamp() reads no int.
    """
    match test:
        case tree.CompareTime(left):
            return isinstance(left.of, tree.Attribute)
        case tree.InNetwork() | tree.CompareBoolean() | tree.ListHas():
            return False
        case tree.Present(attribute):
            return len(attribute.key) == 1
    return True


@given(strategies.predicates(), strategies.plain_requests())
@settings(max_examples=500)
def test_a_rule_is_true_false_or_unknown_where_its_text_is_so_in_cel(
    predicate: Predicate, request: Request
) -> None:
    assume(all(map(is_plain_cel, walk.tests_of(predicate))))
    assert question(predicate)(request) == by_cel(predicate, request), text_of(predicate)


@given(strategies.tests(), strategies.requests())
@settings(max_examples=500)
def test_a_test_and_its_opposite_are_never_both_true(
    predicate: Predicate, request: Request
) -> None:
    answer = question(predicate)(request)
    opposite = question(tree.Not(predicate))(request)
    assert (answer, opposite) in {(True, False), (False, True), (None, None)}
