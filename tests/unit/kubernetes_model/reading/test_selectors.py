"""Selectors as they stand in a query."""

from __future__ import annotations

import pytest

from serinus.errors import Invalid
from serinus.kubernetes_model import selectors

LABELS = {"app": "shop", "tier": "2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app", True),
        ("!app", False),
        ("app=shop", True),
        ("app==shop", True),
        ("app = shop , tier=2", True),
        ("app!=shop", False),
        ("other!=shop", True),
        ("app in (shop, cart)", True),
        ("app in (cart)", False),
        ("app notin (cart)", True),
        ("other notin (cart)", True),
        ("app,!other,tier in (1,2)", True),
        ("tier>1", True),
        ("tier<2", False),
        ("app>1", False),
        ("app=", False),
    ],
)
def test_a_label_selector_matches(text: str, expected: bool) -> None:
    assert selectors.parse_labels(text).matches(LABELS) is expected


@pytest.mark.parametrize("text", ["app in shop", "=", "app=(", "a b", ",", "app in (a"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="unable to parse requirement"):
        selectors.parse_labels(text)


def test_a_selector_object_says_the_same_in_a_query() -> None:
    selector = selectors.of_object(
        {
            "matchLabels": {"app": "shop"},
            "matchExpressions": [
                {"key": "b", "operator": "In", "values": ["2", "1"]},
                {"key": "c", "operator": "Exists"},
                {"key": "d", "operator": "DoesNotExist"},
                {"key": "e", "operator": "NotIn", "values": ["x"]},
            ],
        }
    )
    assert selector is not None
    text = selectors.as_text(selector)
    assert text == "app=shop,b in (1,2),c,!d,e notin (x)"
    assert selectors.parse_labels(text).matches({"app": "shop", "b": "1", "c": ""})
    assert not selectors.parse_labels(text).matches({"app": "shop", "b": "1"})


def test_no_selector_object_selects_nothing_and_an_empty_one_all() -> None:
    assert selectors.of_object(None) is None
    everything = selectors.of_object({})
    assert everything is not None
    assert everything.matches({})


def test_field_selectors_know_equal_and_unequal() -> None:
    parsed = selectors.parse_fields("metadata.name=a,status.phase!=Running")
    assert parsed.matches({"metadata.name": "a", "status.phase": "Pending"})
    assert not parsed.matches({"metadata.name": "a", "status.phase": "Running"})
    with pytest.raises(Invalid, match="can't understand 'x'"):
        selectors.parse_fields("x")


def test_a_field_that_a_kind_does_not_index_is_named() -> None:
    assert selectors.field_problem("Pod", "status.phase") == ""
    assert selectors.field_problem("Pod", "spec.x") == "field label not supported: spec.x"
    assert "is not a known field selector" in selectors.field_problem("ConfigMap", "data")
