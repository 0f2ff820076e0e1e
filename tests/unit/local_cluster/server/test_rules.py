from __future__ import annotations

from typing import Any

import pytest

from serinus.local_cluster.server.rules import evaluate


@pytest.mark.parametrize(
    ("rule", "self_", "expected"),
    [
        ("self.min <= self.max", {"min": 1, "max": 2}, True),
        ("self.min <= self.max", {"min": 3, "max": 2}, False),
        ("has(self.weight) != has(self.pause)", {"weight": 5}, True),
        ("has(self.weight) != has(self.pause)", {"weight": 5, "pause": {}}, False),
        ("self.all(step, step.weight <= 100)", [{"weight": 5}, {"weight": 100}], True),
        ("self.matches('^[0-9]+m$')", "10m", True),
        ("size(self) > 1", "a", False),
    ],
)
def test_rules_say_true_or_false(rule: str, self_: Any, expected: bool) -> None:
    assert evaluate(rule, {"self": self_}) is expected


def test_a_rule_may_compare_with_the_old_value() -> None:
    assert not evaluate("self == oldSelf", {"self": "a", "oldSelf": "b"})


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("self.", "parse"),
        ("self.nobody == 1", "no such key: nobody"),
        ("self.a + 1", "true or false"),
        ("quantity('1') == 1", "quantity"),
    ],
)
def test_a_rule_that_cannot_be_evaluated_says_why(rule: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        evaluate(rule, {"self": {"a": 1}})
