"""The ASGI middleware, called as a server calls it."""

from __future__ import annotations

from collections.abc import MutableMapping
from http.cookies import SimpleCookie
from typing import Any

import pytest

from serinus.middleware import AsgiMiddleware, version
from serinus.middleware.plan import Plan
from serinus.rules.tree import Destination
from tests.unit.middleware.plans import CANARY_USER, STABLE_USER, plan, version_of

TAG = b"x-serinus-version"


class Shop:
    """An application that remembers what it saw."""

    def __init__(self, answer: list[tuple[bytes, bytes]] | None = None) -> None:
        self.answer = answer or []
        self.seen: list[str] = []
        self.tags: list[list[bytes]] = []

    async def __call__(self, scope: MutableMapping[str, Any], _receive: Any, send: Any) -> None:
        self.seen.append(version())
        self.tags.append([value for name, value in scope.get("headers", ()) if name == TAG])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": self.answer})
            await send({"type": "http.response.body", "body": b"ok"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.accept"})


async def ask(app: AsgiMiddleware, kind: str = "http", **scope: Any) -> list[tuple[bytes, bytes]]:
    """Send one request; return the headers of the answer."""
    headers = [(k.encode(), v.encode()) for k, v in scope.pop("headers", {}).items()]
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    whole = {
        "type": kind,
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": headers,
        **scope,
    }
    await app(whole, receive, send)
    return list(sent[0].get("headers", ())) if sent else []


@pytest.mark.parametrize("user", [CANARY_USER, STABLE_USER])
async def test_a_request_gets_the_version_of_its_user(user: str) -> None:
    shop = Shop()
    answer = await ask(AsgiMiddleware(shop, plan()), headers={"x-user": user})
    expected = version_of(user)
    assert shop.seen == [expected]
    assert shop.tags == [[expected.encode()]]
    assert answer == [(TAG, expected.encode())]
    assert version() == "stable"


async def test_a_tag_from_the_client_is_dropped_unless_it_is_trusted() -> None:
    shop = Shop()
    headers = {"x-user": STABLE_USER, "x-serinus-version": "canary"}
    await ask(AsgiMiddleware(shop, plan()), headers=headers)
    await ask(AsgiMiddleware(shop, plan(), trust_tag=True), headers=headers)
    assert shop.tags == [[b"stable"], [b"canary"]]


@pytest.mark.parametrize("tag", ["", "Canary", "canary,stable", "v2"])
async def test_a_tag_that_says_no_version_is_no_tag(tag: str) -> None:
    shop = Shop()
    app = AsgiMiddleware(shop, plan(), trust_tag=True)
    await ask(app, headers={"x-user": CANARY_USER, "x-serinus-version": tag})
    assert shop.seen == ["canary"]
    assert app.counts.decisions == {("canary", "bucket"): 1}


async def test_the_tag_of_an_inner_answer_is_replaced() -> None:
    shop = Shop([(b"X-Serinus-Version", b"stable"), (b"a", b"b")])
    answer = await ask(AsgiMiddleware(shop, plan()), headers={"x-user": CANARY_USER})
    assert answer == [(b"a", b"b"), (TAG, b"canary")]


async def test_a_user_whom_nobody_knows_keeps_her_version_by_a_cookie() -> None:
    shop = Shop()
    app = AsgiMiddleware(shop, plan())
    ids = set()
    for _ in range(40):
        answer = dict(await ask(app))
        cookie = SimpleCookie(answer[b"set-cookie"].decode())["serinus-id"]
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
        again = dict(await ask(app, headers={"cookie": f"serinus-id={cookie.value}"}))
        assert again == {TAG: answer[TAG]}
        ids.add(cookie.value)
    assert len(ids) == 40
    assert {len(value) for value in ids} == {32}
    assert set(shop.seen) == {"canary", "stable"}
    assert app.counts.passed == {
        ("header x-user", "missing"): 80,
        ("cookie serinus-id", "missing"): 40,
    }


@pytest.mark.parametrize(
    ("rule", "scope"),
    [
        ("request.method == 'POST'", {"method": "POST"}),
        ("request.path == '/a%2Fb'", {"path": "/a/b", "raw_path": b"/a%2Fb?c=1"}),
        ("request.path == '/a%20b'", {"path": "/a b", "raw_path": None}),
        ("request.query['q'] == 'a%20b'", {"query_string": b"q=a%20b"}),
        ("request.host == 'shop:80'", {"headers": {"host": "shop:80"}}),
        ("request.headers['x-a'] == 'é'", {"headers": {"x-a": "é"}}),
        ("request.cookies['g'] == 'beta'", {"headers": {"cookie": "a=1; g=beta"}}),
        ("cidr('10.0.0.0/8').containsIP(source.address)", {"client": ("10.1.2.3", 5)}),
        ("request.claims['tier'] == 'gold'", {"claims": {"tier": "gold"}}),
        (
            "timestamp(request.headers['x-t']) > now - duration('876000h')",
            {"headers": {"x-t": "2026-01-02T00:00:00Z"}},
        ),
    ],
)
async def test_a_rule_reads_the_scope(rule: str, scope: dict[str, Any]) -> None:
    shop = Shop()
    app = AsgiMiddleware(
        shop,
        plan((rule, Destination.CANARY), weight_bp=0),
        claims=lambda scope: scope.get("claims"),
    )
    await ask(app)
    await ask(app, **scope)
    assert shop.seen == ["stable", "canary"]


async def test_a_websocket_gets_a_version_too() -> None:
    shop = Shop()
    answer = await ask(AsgiMiddleware(shop, plan()), "websocket", headers={"x-user": CANARY_USER})
    assert (shop.seen, answer) == (["canary"], [(TAG, b"canary")])


async def test_what_is_no_request_passes() -> None:
    shop = Shop()
    assert await ask(AsgiMiddleware(shop, plan()), "lifespan") == []
    assert shop.tags == [[]]


async def test_without_any_plan_every_request_gets_stable() -> None:
    shop = Shop()
    app = AsgiMiddleware(shop, Plan(lambda: b"nothing", "test", look_every_s=None))
    await ask(app, headers={"x-user": CANARY_USER})
    assert shop.seen == ["stable"]
    assert app.counts.decisions == {("stable", "no plan"): 1}
