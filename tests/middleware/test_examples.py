"""The examples run as their first lines say, and do what they say."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from serinus.assignment.bucket import bucket
from serinus.assignment.text_form import split_of
from tests.middleware.servers import ROOT, Server, serving

EXAMPLES = ("middleware-fastapi", "middleware-flask")


def as_documented(name: str, log: Path) -> Server:
    """Run the command of the example's docstring, on a port of its own choice."""
    text = (ROOT / "examples" / name / "shop.py").read_text()
    command = re.search(r'\n\n((?:uvicorn|flask) .*)\n"""', text)
    assert command
    return serving(log, *command[1].split(), "--port", "0")


@pytest.fixture(scope="module", params=EXAMPLES)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    log = tmp_path_factory.mktemp("examples") / request.param
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(as_documented(request.param, log))
        yield stack.enter_context(httpx.Client(base_url=address))


def price(shop: httpx.Client, **headers: str) -> dict[str, object]:
    shop.cookies.clear()
    return ask(shop, {name.replace("_", "-"): value for name, value in headers.items()})


def ask(shop: httpx.Client, headers: dict[str, str]) -> dict[str, object]:
    answer = shop.get("/price?amount=10", headers=headers)
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()
    assert answer.headers["x-serinus-version"] == found["version"]
    return found


CANARY = {"version": "canary", "cents": 950}
STABLE = {"version": "stable", "cents": 1_000}


def expected(user: str) -> dict[str, object]:
    plan = json.loads((ROOT / "examples" / EXAMPLES[0] / "plan.json").read_text())
    split = split_of(plan)
    return CANARY if bucket(user, split.salt) < split.weight_bp else STABLE


def test_a_user_has_the_price_of_her_version(shop: httpx.Client) -> None:
    users = [f"user-{number}" for number in range(40)]
    prices = [price(shop, x_user=user) for user in users]
    assert prices == [expected(user) for user in users]
    assert CANARY in prices
    assert STABLE in prices


def test_requests_at_the_same_time_do_not_see_each_other(shop: httpx.Client) -> None:
    users = [f"user-{number}" for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        prices = list(pool.map(lambda user: ask(shop, {"x-user": user}), users))
    assert prices == [expected(user) for user in users]


def test_staff_has_the_canary_and_crawlers_have_stable(shop: httpx.Client) -> None:
    assert price(shop, x_staff="yes", user_agent="a robot") == CANARY
    assert all(price(shop, x_user=str(n), user_agent="GoogleBot") == STABLE for n in range(20))


def test_a_customer_whom_nobody_knows_keeps_her_price(shop: httpx.Client) -> None:
    shop.cookies.clear()
    first = shop.get("/price?amount=10")
    assert "serinus-id" in shop.cookies
    for _ in range(5):
        again = shop.get("/price?amount=10")
        assert again.json() == first.json()
        assert "set-cookie" not in again.headers


def test_the_examples_have_the_same_plan() -> None:
    plans = {(ROOT / "examples" / name / "plan.json").read_text() for name in EXAMPLES}
    assert len(plans) == 1
