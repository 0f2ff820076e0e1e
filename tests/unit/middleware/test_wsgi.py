"""The WSGI middleware, called as a server calls it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http.cookies import SimpleCookie
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from serinus.middleware import WsgiMiddleware, version
from serinus.rules.tree import Destination
from tests.unit.middleware.plans import CANARY_USER, STABLE_USER, plan, version_of


class Body:
    """A body that asks for the version while it is read, and when it is closed."""

    def __init__(self) -> None:
        self.closed_in = ""

    def __iter__(self) -> Iterator[bytes]:
        yield version().encode()
        yield version().encode()

    def close(self) -> None:
        self.closed_in = version()


class Shop:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.body = Body()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.seen.append((version(), environ["HTTP_X_SERINUS_VERSION"]))
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Serinus-Version", "old")])
        return self.body


def ask(app: WsgiMiddleware, **environ: Any) -> tuple[bytes, dict[str, str]]:
    """Send one request through a checker of the protocol; return body and headers."""
    told: list[tuple[str, str]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        told.extend(headers)
        return lambda _: None

    whole: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "QUERY_STRING": ""}
    setup_testing_defaults(whole)
    whole |= environ
    body = validator(app)(whole, start_response)
    try:
        found = b"".join(body)
    finally:
        body.close()  # type: ignore[attr-defined]
    assert len(told) == len(dict(told))
    return found, {name.lower(): value for name, value in told}


@pytest.mark.parametrize("user", [CANARY_USER, STABLE_USER])
def test_a_request_gets_the_version_of_its_user_until_its_body_is_closed(user: str) -> None:
    shop = Shop()
    body, headers = ask(WsgiMiddleware(shop, plan()), HTTP_X_USER=user)
    expected = version_of(user)
    assert shop.seen == [(expected, expected)]
    assert body.decode() == expected * 2
    assert shop.body.closed_in == expected
    assert headers == {"content-type": "text/plain", "x-serinus-version": expected}
    assert version() == "stable"


def test_a_tag_from_the_client_is_dropped_unless_it_is_trusted() -> None:
    shop = Shop()
    environ = {"HTTP_X_USER": STABLE_USER, "HTTP_X_SERINUS_VERSION": "canary"}
    ask(WsgiMiddleware(shop, plan()), **environ)
    ask(WsgiMiddleware(shop, plan(), trust_tag=True), **environ)
    assert shop.seen == [("stable", "stable"), ("canary", "canary")]


def test_a_user_whom_nobody_knows_keeps_her_version_by_a_cookie() -> None:
    app = WsgiMiddleware(Shop(), plan())
    for _ in range(20):
        body, headers = ask(app)
        cookie = SimpleCookie(headers["set-cookie"])["serinus-id"]
        again, told = ask(app, HTTP_COOKIE=f"serinus-id={cookie.value}")
        assert again == body
        assert "set-cookie" not in told


@pytest.mark.parametrize(
    ("rule", "environ"),
    [
        ("request.method == 'POST'", {"REQUEST_METHOD": "POST"}),
        ("request.path == '/a%2Fb'", {"PATH_INFO": "/a/b", "RAW_URI": "/a%2Fb?c=1"}),
        ("request.path == '/a%2Fb'", {"PATH_INFO": "/a/b", "REQUEST_URI": "/a%2Fb"}),
        ("request.path == '/shop/a%20b'", {"SCRIPT_NAME": "/shop", "PATH_INFO": "/a b"}),
        ("request.query['q'] == 'a%20b'", {"QUERY_STRING": "q=a%20b"}),
        ("request.host == 'shop:80'", {"HTTP_HOST": "shop:80"}),
        ("request.headers['x-a'] == 'é'", {"HTTP_X_A": "é".encode().decode("latin-1")}),
        ("request.headers['content-type'] == 'a/b'", {"CONTENT_TYPE": "a/b"}),
        ("request.cookies['g'] == 'beta'", {"HTTP_COOKIE": "a=1; g=beta"}),
        ("cidr('10.0.0.0/8').containsIP(source.address)", {"REMOTE_ADDR": "10.1.2.3"}),
        ("request.claims['tier'] == 'gold'", {"shop.claims": {"tier": "gold"}}),
    ],
)
def test_a_rule_reads_the_environ(rule: str, environ: dict[str, Any]) -> None:
    app = WsgiMiddleware(
        Shop(),
        plan((rule, Destination.CANARY), weight_bp=0),
        claims=lambda environ: environ.get("shop.claims"),
    )
    assert ask(app)[1]["x-serinus-version"] == "stable"
    assert ask(app, **environ)[1]["x-serinus-version"] == "canary"


def test_a_body_that_is_a_list_is_handed_on_as_it_is() -> None:
    body = [b"ok"]
    app = WsgiMiddleware(lambda _environ, _start: body, plan())
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    assert app(environ, lambda *_: None) is body
