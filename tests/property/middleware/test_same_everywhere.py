"""ASGI, WSGI and the reference decide alike for the same request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.assignment.bucket import bucket
from serinus.assignment.identity import IdentityKind, IdentitySource
from serinus.assignment.intervals import Version
from serinus.assignment.split import Assignment, Split
from serinus.middleware import AsgiMiddleware, Plan, WsgiMiddleware
from serinus.middleware.choosing import as_sent
from serinus.rules.tree import Destination, Predicate, Request, Rule
from tests.property.rules import strategies

USER = IdentitySource(IdentityKind.HEADER, "x-user")
SOURCES = (
    IdentitySource(IdentityKind.HEADER, "x-a"),
    IdentitySource(IdentityKind.COOKIE, "a"),
    IdentitySource(IdentityKind.QUERY, "a"),
    IdentitySource(IdentityKind.SOURCE_ADDRESS),
)


async def _no_app(*_: Any) -> None:
    raise AssertionError


def scope_of(request: Request) -> dict[str, Any]:
    headers = [(n.encode(), v.encode()) for n, found in request.headers.items() for v in found]
    if request.host is not None:
        headers.append((b"host", request.host.encode()))
    return {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": (request.query or "").encode(),
        "client": (request.source_address, 1) if request.source_address else None,
        "headers": headers,
        "claims": request.claims,
    }


def environ_of(request: Request) -> dict[str, Any]:
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": ",".join(found).encode().decode("latin-1")
        for name, found in request.headers.items()
    }
    return {
        **headers,
        **({"HTTP_HOST": request.host} if request.host is not None else {}),
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": (request.query or "").encode().decode("latin-1"),
        "REMOTE_ADDR": request.source_address or "",
        "claims": request.claims,
    }


@given(strategies.predicates(), strategies.requests(), st.integers(0, 10_000))
@settings(max_examples=300)
def test_a_request_gets_the_same_version_by_every_way(
    predicate: Predicate, request: Request, weight_bp: int
) -> None:
    rules = (Rule("r", predicate, Destination.CANARY),)
    split = Split("shop/web/1", weight_bp, rules, SOURCES)
    # Where nobody knows the user, chance decides: nothing to compare.
    if request.source_address is None:
        request = request._replace(source_address="10.0.0.1")
    expected = Assignment(split).decide(request, lambda: "nobody").version
    plan = Plan.of(split)
    asgi = AsgiMiddleware(_no_app, plan, claims=lambda scope: scope["claims"])
    wsgi = WsgiMiddleware(lambda *_: [], plan, claims=lambda environ: environ["claims"])
    assert asgi.choose(scope_of(request)).version is expected
    assert wsgi.choose(environ_of(request)).version is expected


@pytest.mark.parametrize("weight_bp", [500, 1_000, 2_500, 5_000, 10_000])
def test_a_hundred_thousand_users_get_what_the_public_rule_says(weight_bp: int) -> None:
    """Routers are held to the same rule, with the same users, in the tests of the data plane."""
    plan = Plan.of(Split("shop/web/1", weight_bp, (), (USER,)))
    asgi, scope = AsgiMiddleware(_no_app, plan), scope_of(Request())
    wrong = []
    for number in range(100_000):
        user = f"user-{number}"
        scope["headers"] = [(b"x-user", user.encode())]
        expected = Version.CANARY if bucket(user, "shop/web/1") < weight_bp else Version.STABLE
        if asgi.choose(scope).version is not expected:
            wrong.append(user)
    assert wrong == []


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])))
def test_a_path_that_is_made_again_from_the_decoded_one_is_ascii(path: str) -> None:
    assert as_sent(path).isascii()
