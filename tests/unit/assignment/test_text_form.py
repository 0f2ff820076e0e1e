"""A plan in JSON: read, written, and refused with all that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.assignment.identity import IdCookie, IdentityKind, IdentitySource, SameSite
from serinus.assignment.split import Split
from serinus.assignment.text_form import document_of, split_of
from serinus.errors import InvalidInput
from serinus.rules.parsing import parse
from serinus.rules.tree import Destination, Rule

DOCUMENT: dict[str, Any] = {
    "salt": "shop/web/7d9f",
    "weight": 0.5,
    "rules": [{"name": "beta", "when": "request.cookies['g'] == 'beta'", "to": "canary"}],
    "identity": [{"header": "X-User"}, {"query": "u"}, {"sourceAddress": ""}],
    "cookie": {"name": "me", "sameSite": "Strict"},
}
SPLIT = Split(
    "shop/web/7d9f",
    50,
    (Rule("beta", parse("request.cookies['g'] == 'beta'"), Destination.CANARY),),
    (
        IdentitySource(IdentityKind.HEADER, "x-user"),
        IdentitySource(IdentityKind.QUERY, "u"),
        IdentitySource(IdentityKind.SOURCE_ADDRESS),
    ),
    IdCookie("me", same_site=SameSite.STRICT),
)


def test_a_plan_is_read() -> None:
    assert split_of(DOCUMENT) == SPLIT
    assert split_of({"salt": "s", "weight": 0}) == Split("s", 0)


def test_a_plan_that_is_written_is_read_as_the_same() -> None:
    assert split_of(document_of(SPLIT)) == SPLIT


def test_an_id_cookie_is_safe_unless_the_plan_says_otherwise() -> None:
    cookie = split_of({"salt": "s", "weight": 0, "cookie": {}}).cookie
    assert cookie == IdCookie("serinus-id", 31_536_000, "/", "", True, True, SameSite.LAX)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"salt": None}, "salt: expected a text such as namespace/name/revision, found nothing"),
        ({"salt": ""}, "salt: '' holds more than letters, digits and . _ / : -"),
        ({"salt": "\ud800"}, "salt: '\\ud800' holds more"),
        ({"weight": "5"}, "weight: expected a percentage such as 5 or 0.5, found '5'"),
        ({"weight": True}, "weight: expected a percentage"),
        ({"weight": 101}, "weight: 101 is outside 0..100"),
        ({"weight": float("nan")}, "weight: nan is outside 0..100"),
        ({"weight": 0.001}, "weight: 0.001 has more than two decimals"),
        ({"wieght": 5}, "unknown field wieght; did you mean weight?"),
        ({"rules": {}}, "rules: expected a list, found an object"),
        ({"rules": [1]}, "rules[0]: expected an object, found a number"),
        ({"rules": [{"name": "a", "when": "request.pth == 'a'", "to": "canary"}]}, "column 9"),
        ({"rules": [{"name": "a", "when": "true", "to": "prod"}]}, "canary or stable or percent"),
        ({"rules": [{"name": "a", "when": "true", "to": "stable"}] * 2}, "'a' stands there twice"),
        ({"identity": [{"header": "x-user", "cookie": "u"}]}, "identity[0]: expected one of"),
        ({"identity": [{"cookie": "a b"}]}, "identity[0].cookie: 'a b' is no name of a cookie"),
        ({"identity": [{"header": "cookie"}]}, "is read as request.cookies"),
        ({"identity": [{"sourceAddress": "eth0"}]}, "sourceAddress: has no name"),
        ({"cookie": {"name": "a b"}}, "cookie.name: 'a b' is no name"),
        ({"cookie": {"domain": "a;b"}}, "cookie.domain: 'a;b' cannot stand in a cookie"),
        ({"cookie": {"path": "/\r\nx: y"}}, "cookie.path: "),
        ({"cookie": {"maxAgeSeconds": 0}}, "cookie.maxAgeSeconds: 0 seconds are no age"),
        ({"cookie": {"secure": "no"}}, "cookie.secure: expected true or false"),
        ({"cookie": {"sameSite": "None", "secure": False}}, "None needs secure: true"),
    ],
)
def test_a_plan_that_is_wrong_is_refused_with_the_field(
    change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        split_of({**DOCUMENT, **change})
    assert problem in str(caught.value)
    assert len(caught.value.problems) == 1


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        split_of({"salt": 1, "weight": -1, "identity": [{}], "cookie": []})
    assert len(caught.value.problems) == 4


def test_a_document_that_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the plan: expected an object, found a list"):
        split_of([])
