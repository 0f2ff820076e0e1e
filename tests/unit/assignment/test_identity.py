"""Who the user is, and why a source does not say."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.assignment.identity import Absence, IdentityKind, IdentitySource, reader
from serinus.rules.tree import Request

HEADER = IdentitySource(IdentityKind.HEADER, "x-user")
COOKIE = IdentitySource(IdentityKind.COOKIE, "uid")
QUERY = IdentitySource(IdentityKind.QUERY, "u")
ADDRESS = IdentitySource(IdentityKind.SOURCE_ADDRESS)


@pytest.mark.parametrize(
    ("source", "request_", "expected"),
    [
        (HEADER, {"headers": {"x-user": ["alice"]}}, "alice"),
        (HEADER, {"headers": {"x-user": [" Alice "]}}, " Alice "),
        (HEADER, {}, Absence.MISSING),
        (HEADER, {"headers": {"x-user": [""]}}, Absence.EMPTY),
        (HEADER, {"headers": {"x-user": ["a", "a"]}}, Absence.REPEATED),
        (HEADER, {"headers": {"x-user": ["a,b"]}}, Absence.REPEATED),
        (COOKIE, {"headers": {"cookie": ["a=1; uid=alice"]}}, "alice"),
        (COOKIE, {"headers": {"cookie": ["a=1"]}}, Absence.MISSING),
        (COOKIE, {"headers": {"cookie": ["uid="]}}, Absence.EMPTY),
        (COOKIE, {"headers": {"cookie": ["uid=a; uid=b"]}}, Absence.REPEATED),
        (COOKIE, {"headers": {"cookie": ["uid=a", "uid=b"]}}, Absence.REPEATED),
        (QUERY, {"query": "u=alice&v=1"}, "alice"),
        (QUERY, {"query": "u=a%20b"}, "a%20b"),
        (QUERY, {"query": None}, Absence.MISSING),
        (QUERY, {"query": "u"}, Absence.EMPTY),
        (QUERY, {"query": "u=a&u=b"}, Absence.REPEATED),
        (ADDRESS, {"source_address": "10.1.2.3"}, "10.1.2.3"),
        (ADDRESS, {"source_address": "::ffff:10.1.2.3"}, "10.1.2.3"),
        (ADDRESS, {"source_address": "2001:DB8:0:0::1"}, "2001:db8::1"),
        (ADDRESS, {}, Absence.MISSING),
        (ADDRESS, {"source_address": "@unix"}, Absence.MISSING),
    ],
)
def test_a_source_says_who_the_user_is_or_why_it_does_not(
    source: IdentitySource, request_: dict[str, Any], expected: str | Absence
) -> None:
    assert reader(source)(Request(**request_)) == expected
