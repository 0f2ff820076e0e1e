"""What a rule means for a request: each operator, and what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.rules.evaluation import question
from serinus.rules.parsing import parse
from serinus.rules.tree import Request

NOW_MS = 1_780_000_000_000  # 2026-05-28T20:26:40Z
DAY_MS = 86_400_000


def answer(text: str, **request: Any) -> bool | None:
    return question(parse(text))(Request(**request))


def header(text: str, *values: str) -> bool | None:
    return answer(text, headers={"x": values} if values else {}, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("text", "hit", "miss"),
    [
        ("request.headers['x'] == 'a'", "a", "A"),
        ("request.headers['X'] == 'a'", "a", "b"),
        ("request.headers.x != 'a'", "b", "a"),
        ("request.headers['x'] in ['a', 'b']", "b", "c"),
        ("request.headers['x'].startsWith('ab')", "abc", "cab"),
        ("request.headers['x'].endsWith('ab')", "cab", "abc"),
        ("request.headers['x'].matches('^a|c$')", "xc", "ca"),
        ("request.headers['x'].matches('(?i)IPHONE')", "an iPhone", "a phone"),
        ("int(request.headers['x']) >= 18", "18", "17"),
        ("int(request.headers['x']) < -2", "-3", "-2"),
        ("18 < int(request.headers['x'])", "19", "18"),
        ("int(request.headers['x']) in [1, 3]", "3", "2"),
        (
            "timestamp(request.headers['x']) >= timestamp('2026-01-01T00:00:00Z')",
            "2026-01-01T08:00:00+08:00",
            "2026-01-01T07:59:59.999+08:00",
        ),
        (
            "timestamp(request.headers['x']) > now - duration('720h')",
            "2026-05-01T00:00:00Z",
            "2026-04-01T00:00:00Z",
        ),
        (
            "timestamp(int(request.headers['x'])) > now - duration('720h')",
            str((NOW_MS - 29 * DAY_MS) // 1_000),
            str((NOW_MS - 31 * DAY_MS) // 1_000),
        ),
    ],
)
def test_a_rule_hits_what_it_should_and_misses_the_nearest_other(
    text: str, hit: str, miss: str
) -> None:
    assert header(text, hit) is True
    assert header(text, miss) is False
    assert header(text) is None


@pytest.mark.parametrize(
    ("text", "unreadable"),
    [
        ("int(request.headers['x']) == 7", ["+7", " 7", "7.0", "", "seven", "7" * 19, "\u0667"]),
        (
            "timestamp(request.headers['x']) < now",
            ["2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "0999-01-01T00:00:00Z"],
        ),
    ],
)
def test_a_value_that_cannot_be_read_is_missing(text: str, unreadable: list[str]) -> None:
    assert [header(text, value) for value in unreadable] == [None] * len(unreadable)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("request.headers['x'] != 'cn'", None),
        ("!(request.headers['x'] == 'cn')", None),
        ("!('x' in request.headers) || request.headers['x'] != 'cn'", True),
        ("request.headers['x'] == 'cn' || true", True),
        ("request.headers['x'] == 'cn' || false", None),
        ("request.headers['x'] == 'cn' && true", None),
        ("request.headers['x'] == 'cn' && false", False),
        ("false && request.headers['x'] == 'cn'", False),
    ],
)
def test_a_missing_header_is_unknown_and_travels_as_an_error_of_cel(
    text: str, expected: bool | None
) -> None:
    assert header(text) is expected


def test_a_repeated_header_is_one_text_joined_by_commas() -> None:
    assert header("request.headers['x'] == 'a,b'", "a", "b") is True
    assert header("request.headers['x'] == 'a'", "a", "b") is False


def test_an_empty_header_is_there() -> None:
    assert header("'x' in request.headers && request.headers['x'] == ''", "") is True


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("g=beta", True),
        ("a=1; g=beta; z=2", True),
        ("a=1;g=beta", True),
        ('g="beta"', True),
        ("g=beta; g=other", True),
        ("g=other; g=beta", False),
        ("g=beta ; a=1", False),
        ("G=beta", None),
        ("xg=beta; g", None),
    ],
)
def test_a_cookie_is_the_first_of_its_name(line: str, expected: bool | None) -> None:
    found = answer("request.cookies['g'] == 'beta'", headers={"cookie": [line]})
    assert found is expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [("g=beta", True), ("a&g=beta&g=x", True), ("g=b%65ta", False), ("g", False), ("G=beta", None)],
)
def test_a_parameter_is_the_first_of_its_name_as_it_stands_in_the_address(
    query: str, expected: bool | None
) -> None:
    assert answer("request.query['g'] == 'beta'", query=query) is expected


def test_method_path_and_host_are_as_the_client_sent_them() -> None:
    request = {"method": "POST", "path": "/a%20b", "query": "c=1", "host": "shop:8080"}
    assert answer("request.method == 'POST'", **request) is True
    assert answer("request.path == '/a%20b'", **request) is True
    assert answer("request.host == 'shop:8080'", **request) is True
    assert answer("request.host == 'shop:8080'") is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.9.9.9", True),
        ("::ffff:10.9.9.9", True),
        ("11.0.0.1", False),
        ("2001:db8::1", False),
        ("unix", None),
        (None, None),
    ],
)
def test_a_network_holds_the_client_or_not(address: str | None, expected: bool | None) -> None:
    text = "cidr('10.0.0.0/8').containsIP(source.address)"
    assert answer(text, source_address=address) is expected


CLAIMS = {"tier": "gold", "beta": True, "age": 18, "part": 1.5, "no": None, "roles": ["admin", 1]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("request.claims['tier'] == 'gold'", True),
        ("request.claims.beta == true", True),
        ("request.claims.beta != true", False),
        ("request.claims['tier'] == true", None),
        ("request.claims['age'] == '18'", None),
        ("int(request.claims['age']) >= 18", True),
        ("int(request.claims['part']) >= 1", None),
        ("int(request.claims['beta']) == 1", None),
        ("'admin' in request.claims['roles']", True),
        ("'user' in request.claims['roles']", False),
        ("'g' in request.claims['tier']", None),
        ("'no' in request.claims", False),
        ("'tier' in request.claims", True),
        ("request.claims['realm']['role'] == 'a'", True),
        ("has(request.claims.realm.role)", True),
        ("has(request.claims.tier.role)", False),
    ],
)
def test_a_claim_is_read_as_the_type_that_is_asked_for(text: str, expected: bool | None) -> None:
    assert answer(text, claims={**CLAIMS, "realm": {"role": "a"}}) is expected


def test_without_a_token_no_claim_is_there() -> None:
    assert answer("'tier' in request.claims") is False
    assert answer("request.claims['tier'] == 'gold'") is None
