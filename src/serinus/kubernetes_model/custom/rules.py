"""`x-kubernetes-validations`: where the rules of a schema stand, and what breaks them.

The rules are in CEL; who evaluates them is the caller's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.failures import Problem

Schema = dict[str, Any]

Evaluate: TypeAlias = Callable[[str, dict[str, Any]], bool]
"""Evaluate a CEL expression with variables (`self`, `oldSelf`); raise ValueError when it fails."""

_RULES = "x-kubernetes-validations"
_OLD = re.compile(r"\boldSelf\b")
_ABSENT: Any = object()


def check(schema: Schema, new: Any, old: Any, evaluate: Evaluate) -> list[Problem]:
    """Return the rules that a value breaks; `old` is None when it is new."""
    return _check(schema, (new, _ABSENT if old is None else old), "", evaluate)


def _check(schema: Schema, pair: tuple[Any, Any], field: str, evaluate: Evaluate) -> list[Problem]:
    new, old = pair
    problems = [
        problem
        for rule in schema.get(_RULES, ())
        if (problem := _broken(rule, schema, pair, (field, evaluate)))
    ]
    prefix = f"{field}." if field else ""
    if isinstance(new, dict):
        before = old if isinstance(old, dict) else {}
        additional = schema.get("additionalProperties")
        for key, item in new.items():
            below = schema.get("properties", {}).get(key, additional)
            if isinstance(below, dict):
                next_pair = (item, before.get(key, _ABSENT))
                problems += _check(below, next_pair, f"{prefix}{key}", evaluate)
    elif isinstance(new, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(new):
            before_item = _correlated(schema, item, old)
            pair_below = (item, before_item)
            problems += _check(schema["items"], pair_below, f"{field}[{index}]", evaluate)
    return problems


def _correlated(schema: Schema, item: Any, old: Any) -> Any:
    """Return the old item that a map list's new item is; other lists have none."""
    keys = schema.get("x-kubernetes-list-map-keys", ())
    if not keys or not isinstance(old, list) or not isinstance(item, dict):
        return _ABSENT
    wanted = [item.get(key) for key in keys]
    matches = (o for o in old if isinstance(o, dict) and [o.get(key) for key in keys] == wanted)
    return next(matches, _ABSENT)


def _broken(
    rule: dict[str, Any], schema: Schema, pair: tuple[Any, Any], how: tuple[str, Evaluate]
) -> Problem | None:
    (new, old), (field, evaluate) = pair, how
    variables = {"self": new}
    if _OLD.search(rule["rule"]):
        if old is _ABSENT and not rule.get("optionalOldSelf"):
            return None
        variables["oldSelf"] = None if old is _ABSENT else old
    shown = schema.get("type", "object")
    where = f"{field}{rule['fieldPath']}".lstrip(".") if rule.get("fieldPath") else field
    try:
        if evaluate(rule["rule"], variables):
            return None
    except ValueError as error:
        return failures.invalid(where, shown, f"rule evaluation error: {error}")
    words = rule.get("message") or f"failed rule: {rule['rule'].strip()}"
    reason = rule.get("reason", "FieldValueInvalid")
    return Problem(where, reason, shown, words)
