"""Rules mean the same to Envoy and to the Python that explains them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from serinus.errors import InvalidInput
from serinus.rules import tree
from serinus.rules.evaluation import question
from serinus.rules.parsing import parse
from serinus.rules.printing import text_of
from serinus.rules.tree import Destination, Predicate, Request, Rule
from serinus.traffic.envoy.routing.conditions import alternatives
from tests.data_plane.asking import Question, ask_all
from tests.data_plane.pods import Pod, pod
from tests.data_plane.router import SPLIT, Router, a_plan, a_port, routing
from tests.property.rules import strategies

FORWARDED = "x-forwarded-for"


class Bench:
    """A router with both versions behind it, for tests that are no coroutines themselves."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self.router = self._runner.run(self._start())

    async def _start(self) -> Router:
        stable: Pod = await self._stack.enter_async_context(pod("stable"))
        canary: Pod = await self._stack.enter_async_context(pod("canary"))
        # The client's address is what the one trusted hop in front says.
        edge = {"trustedHopCount": 1}
        plan = a_plan(a_port(), [stable.address], [canary.address], edge=edge)
        return await self._stack.enter_async_context(routing(plan))

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def ask(self, rules: list[dict[str, str]], questions: Sequence[Question]) -> list[str]:
        """Return which version answers, where only rules lead to the canary."""
        return self.decide({**SPLIT, "rules": rules}, questions)

    def decide(self, split: dict[str, Any], questions: Sequence[Question]) -> list[str]:
        """Return which version answers."""

        async def go() -> list[str]:
            await self.router.set(split=split)
            answers = await ask_all(self.router.port, questions, connection_count=4)
            assert {answer.status for answer in answers} <= {200}
            return [answer.version for answer in answers]

        return self._runner.run(go())


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.close()


def on_the_wire(request: Request) -> Request | None:
    """Return the request as it arrives when it is sent, or None where it cannot be sent."""
    target = request.path + ("" if request.query is None else f"?{request.query}")
    if not target.isascii() or not target.isprintable() or " " in target:
        return None
    headers = {name: [v.strip(" \t") for v in vs] for name, vs in request.headers.items()}
    return request._replace(
        headers=headers,
        host=request.host or "shop",
        claims=None,
        source_address="127.0.0.1" if request.source_address is None else request.source_address,
        now_ms=time.time_ns() // 1_000_000,
    )


def question_of(request: Request) -> Question:
    headers = [("host", request.host or "")]
    headers += [(name, value) for name, values in request.headers.items() for value in values]
    headers.append((FORWARDED, request.source_address or ""))
    target = request.path + ("" if request.query is None else f"?{request.query}")
    return Question(target, headers, request.method)


def is_sayable(predicate: Predicate) -> bool:
    try:
        alternatives([Rule("r", predicate, Destination.CANARY)])
    except InvalidInput:
        return False
    return True


def check(bench: Bench, predicate: Predicate, requests: Sequence[Request]) -> None:
    assume(is_sayable(predicate))
    arrived = [each for each in map(on_the_wire, requests) if each is not None]
    assume(arrived)
    text = text_of(predicate)
    rules = [{"name": "r", "when": text, "to": "canary"}]
    found = bench.ask(rules, [question_of(each) for each in arrived])
    asks = question(predicate)
    for request, version in zip(arrived, found, strict=True):
        expected = "canary" if asks(request) is True else "stable"
        assert version == expected, f"{text}\n{request}"


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


@given(strategies.predicates(), st.lists(strategies.requests(), min_size=12, max_size=12))
@settings(max_examples=30, deadline=None, suppress_health_check=QUIET, derandomize=True)
def test_envoy_and_python_agree_on_random_rules_and_requests(
    bench: Bench, predicate: Predicate, requests: list[Request]
) -> None:
    check(bench, predicate, requests)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_envoy_and_python_agree_on_20_000_random_rules_and_requests(bench: Bench) -> None:
    pairs = 0

    @given(strategies.predicates(), st.lists(strategies.requests(), min_size=20, max_size=20))
    @settings(max_examples=1_500, deadline=None, suppress_health_check=QUIET)
    def agree(predicate: Predicate, requests: list[Request]) -> None:
        nonlocal pairs
        check(bench, predicate, requests)
        pairs += sum(on_the_wire(each) is not None for each in requests)

    agree()
    print(f"{pairs} pairs")
    assert pairs >= 20_000


# Each kind of test: a rule, a request that hits and one that misses.
KINDS: dict[str, tuple[str, Question, Question]] = {
    "method": ("request.method == 'DELETE'", Question(method="DELETE"), Question()),
    "path": ("request.path.startsWith('/cart')", Question("/cart?a=b"), Question("/?/cart")),
    "path pattern": (
        "request.path.matches('^/v[0-9]+$')",
        Question("/v12?x=/v"),
        Question("/v12/x"),
    ),
    "host": (
        "request.host == 'beta.example:81'",
        Question(headers=[("host", "beta.example:81")]),
        Question(headers=[("host", "beta.example")]),
    ),
    "header": (
        "request.headers['x-region'] in ['cn', 'sg']",
        Question(headers=[("X-Region", "sg")]),
        Question(headers=[("X-Region", "sgx")]),
    ),
    "several lines of a header": (
        "request.headers['x-a'] == 'a,a'",
        Question(headers=[("x-a", "a"), ("X-A", "a")]),
        Question(headers=[("x-a", "a")]),
    ),
    "no header": (
        "!('x-region' in request.headers)",
        Question(),
        Question(headers=[("x-region", "")]),
    ),
    "another header": (
        "request.headers['x-region'] != 'cn'",
        Question(headers=[("x-region", "de")]),
        Question(),
    ),
    "cookie": (
        "request.cookies['beta'].endsWith('on')",
        Question(headers=[("cookie", "alpha=off; beta=on")]),
        Question(headers=[("cookie", "xbeta=on")]),
    ),
    "query": ("request.query['beta'] == '1'", Question("/?a&beta=1"), Question("/?beta=1x")),
    "whole number": (
        "int(request.headers['x-age']) >= 18",
        Question(headers=[("x-age", "018")]),
        Question(headers=[("x-age", "17")]),
    ),
    "whole number of a cookie": (
        "int(request.cookies['n']) < -5",
        Question(headers=[("cookie", "n=-6")]),
        Question(headers=[("cookie", "n=-5")]),
    ),
    "date": (
        "timestamp(request.headers['x-registered']) >= timestamp('2026-01-01T00:00:00Z')",
        Question(headers=[("x-registered", "2025-12-31T20:00:00-04:00")]),
        Question(headers=[("x-registered", "2025-12-31T23:59:59Z")]),
    ),
    "seconds since the epoch": (
        "timestamp(int(request.query['t'])) < timestamp('2026-01-01T00:00:00.5Z')",
        Question("/?t=1767225600"),
        Question("/?t=1767225601"),
    ),
    "age": (
        "timestamp(int(request.headers['x-since'])) > now - duration('720h')",
        Question(headers=[("x-since", str(int(time.time()) - 3_600))]),
        Question(headers=[("x-since", str(int(time.time()) - 800 * 3_600))]),
    ),
    "network": (
        "cidr('10.0.0.0/8').containsIP(source.address)",
        Question(headers=[(FORWARDED, "10.200.0.1")]),
        Question(headers=[(FORWARDED, "11.0.0.1")]),
    ),
    "and, or, not": (
        "(request.query['a'] == '1' || request.query['b'] == '1') && !(request.method == 'POST')",
        Question("/?b=1"),
        Question("/?b=1", method="POST"),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_of_this_kind_hits_and_misses(kind: str, bench: Bench) -> None:
    text, hit, miss = KINDS[kind]
    rules = [{"name": "r", "when": text, "to": "canary"}]
    assert bench.ask(rules, [hit, miss]) == ["canary", "stable"]


def test_the_first_rule_that_hits_decides(bench: Bench) -> None:
    rules = [
        {"name": "never", "when": "request.query['a'] == '1'", "to": "stable"},
        {"name": "some", "when": "request.query['b'] == '1'", "to": "percentage"},
        {"name": "all", "when": "true", "to": "canary"},
    ]
    questions = [Question("/?a=1"), Question("/?b=1"), Question("/")]
    assert bench.ask(rules, questions) == ["stable", "stable", "canary"]


def test_every_kind_of_test_has_its_pair() -> None:
    kinds: set[type[Any]] = set()

    def walk(predicate: Predicate) -> None:
        kinds.add(type(predicate))
        for part in getattr(predicate, "parts", ()):
            walk(part)
        if isinstance(predicate, tree.Not):
            walk(predicate.part)

    for text, _, _ in KINDS.values():
        walk(parse(text))
    of_claims = {tree.CompareBoolean, tree.ListHas}
    rare = {tree.IntegerIn, tree.Always}
    assert kinds | of_claims | rare >= set(tree.Test.__args__)
