"""Structural schemas: what they prune, fill in and forbid."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.kubernetes_model.custom import checking, rules, structural


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    whole = {"type": "object", "properties": {"x": schema}}
    return [str(problem) for problem in checking.check(whole, {"x": value})]


@pytest.mark.parametrize(
    ("schema", "good", "bad", "message"),
    [
        ({"type": "boolean"}, True, 1, 'x in body must be of type boolean: "integer"'),
        ({"type": "number"}, 1.5, True, 'must be of type number: "boolean"'),
        ({"type": "array"}, [], {}, 'must be of type array: "object"'),
        ({"type": "object"}, {}, [], 'must be of type object: "array"'),
        ({"type": "number"}, 1, None, 'must be of type number: "null"'),
        ({"type": "integer", "exclusiveMinimum": True, "minimum": 1}, 2, 1, "greater than 1"),
        ({"type": "integer", "exclusiveMaximum": True, "maximum": 3}, 2, 3, "less than 3"),
        ({"type": "integer", "multipleOf": 2}, 4, 5, "should be a multiple of 2"),
        ({"type": "array", "minItems": 1}, [1], [], "should have at least 1 items"),
        ({"type": "object", "maxProperties": 1}, {"a": 1}, {"a": 1, "b": 2}, "must have at most 1"),
        ({"type": "object", "minProperties": 1}, {"a": 1}, {}, "at least 1 properties"),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"a": "b"},
            {"a": 1},
            "x.a in body must be of type string",
        ),
        ({"type": "integer", "allOf": [{"minimum": 2}]}, 2, 1, "greater than or equal to 2"),
        ({"anyOf": [{"minimum": 5}, {"maximum": 1}]}, 1, 3, "at least one schema (anyOf)"),
        ({"oneOf": [{"minimum": 1}, {"minimum": 5}]}, 1, 6, "Found 2 valid alternatives"),
        ({"not": {"enum": [3]}}, 1, 3, "must not validate the schema (not)"),
    ],
)
def test_a_rule_lets_the_good_pass_and_words_the_bad(
    schema: Any, good: Any, bad: Any, message: str
) -> None:
    assert problems(schema, good) == []
    found = problems(schema, bad)
    assert len(found) == 1
    assert message in found[0]


def test_null_is_fine_where_it_is_allowed() -> None:
    assert problems({"type": "string", "nullable": True}, None) == []


def test_defaults_reach_into_maps_and_lists() -> None:
    item = {"type": "object", "properties": {"a": {"type": "integer", "default": 1}}}
    schema = {
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": item},
            "map": {"type": "object", "additionalProperties": item},
            "deep": {**item, "default": {}},
        },
    }
    value: dict[str, Any] = {"list": [{}, {"a": 2}], "map": {"k": {}}}
    structural.fill_defaults(schema, value)
    assert value == {"list": [{"a": 1}, {"a": 2}], "map": {"k": {"a": 1}}, "deep": {"a": 1}}


def test_pruning_follows_maps_lists_and_embedded_objects() -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    schema = {
        "type": "object",
        "properties": {
            "map": {"type": "object", "additionalProperties": inner},
            "list": {"type": "array", "items": inner},
            "loose": {**inner, "x-kubernetes-preserve-unknown-fields": True},
            "child": {**inner, "x-kubernetes-embedded-resource": True},
            "empty": {"type": "object"},
            "any": {"type": "object", "additionalProperties": True},
        },
    }
    node = structural.root_type(schema, "Thing")
    extra = {"a": "1", "b": "2"}
    value = {
        "map": {"k": extra},
        "list": [extra],
        "loose": extra,
        "child": {**extra, "kind": "K", "apiVersion": "v1", "metadata": {"name": "n"}},
        "empty": extra,
        "any": extra,
        "gone": 1,
    }
    assert structural.pruned(node, value) == {
        "map": {"k": {"a": "1"}},
        "list": [{"a": "1"}],
        "loose": extra,
        "child": {"a": "1", "kind": "K", "apiVersion": "v1", "metadata": {"name": "n"}},
        "empty": {},
        "any": extra,
    }


def always(*, answer: bool) -> rules.Evaluate:
    return lambda _rule, _variables: answer


def fails(_rule: str, _variables: dict[str, Any]) -> bool:
    raise ValueError("no such key: x")


def test_a_rule_that_cannot_be_evaluated_refuses_and_says_why() -> None:
    schema = {"type": "object", "x-kubernetes-validations": [{"rule": "self.x"}]}
    found = rules.check(schema, {}, None, fails)
    assert "rule evaluation error: no such key: x" in str(found[0])


def test_a_rule_on_items_compares_with_the_item_of_the_same_key() -> None:
    rule = {"rule": "self.n >= oldSelf.n", "fieldPath": ".n", "reason": "FieldValueForbidden"}
    item = {"type": "object", "x-kubernetes-validations": [rule]}
    keyed = {"type": "array", "x-kubernetes-list-map-keys": ["id"], "items": item}
    schema = {"type": "object", "properties": {"list": keyed}}
    new = {"list": [{"id": "a", "n": 1}, {"id": "b", "n": 1}]}
    old = {"list": [{"id": "b", "n": 2}]}
    found = rules.check(schema, new, old, always(answer=False))
    assert [problem.field for problem in found] == ["list[1].n"]
    assert found[0].reason == "FieldValueForbidden"


def test_an_optional_old_value_lets_a_rule_run_on_new_objects() -> None:
    rule = {"rule": "oldSelf == null", "optionalOldSelf": True}
    schema = {"type": "object", "x-kubernetes-validations": [rule]}
    assert len(rules.check(schema, {}, None, always(answer=False))) == 1
