"""What changes, and in which order it may be written."""

from __future__ import annotations

import msgspec
import pytest

from serinus.assignment.identity import IdCookie
from serinus.assignment.intervals import Version
from serinus.assignment.split import Split
from serinus.errors import InvalidInput
from serinus.rules.parsing import parse
from serinus.rules.tree import Destination, Rule
from serinus.traffic.envoy.bootstrap import bootstrap
from serinus.traffic.envoy.files import ConfigFile, changes, files
from serinus.traffic.envoy.plan import Endpoint, Endpoints, Port, RouterPlan, weight_in_force_bp

POD = (Endpoint("10.0.0.1", 80),)
BOTH: Endpoints = {("http", Version.STABLE): POD, ("http", Version.CANARY): POD}
EMPTY_CANARY: Endpoints = {("http", Version.STABLE): POD, ("http", Version.CANARY): ()}
EMPTY_STABLE: Endpoints = {("http", Version.STABLE): (), ("http", Version.CANARY): POD}


def a_plan(weight_bp: int = 0, salt: str = "s", *rules: str) -> RouterPlan:
    made = tuple(Rule(f"r{n}", parse(text), Destination.CANARY) for n, text in enumerate(rules))
    split = Split(salt, weight_bp, made, cookie=IdCookie())
    return RouterPlan(name="default/shop", ports=(Port("http", 80),), split=split)


def made(plan: RouterPlan, endpoints: Endpoints = BOTH) -> tuple[ConfigFile, ...]:
    return files(plan, endpoints, folder="/f")


def differing(before: RouterPlan, after: RouterPlan, *, lowers: bool = False) -> list[str]:
    written = {file.name: file for file in made(before)}
    return [file.name for file in changes(made(after), written, lowers=lowers)]


def test_a_new_weight_is_one_small_file() -> None:
    assert differing(a_plan(100), a_plan(200)) == ["rtds.json"]


def test_the_same_plan_is_no_change() -> None:
    assert differing(a_plan(100), a_plan(100)) == []


def test_a_canary_gains_weight_last_and_loses_it_first() -> None:
    assert differing(a_plan(0, "a"), a_plan(500, "b")) == ["rds-http.json", "rtds.json"]
    after = differing(a_plan(500, "a"), a_plan(0, "b"), lowers=True)
    assert after == ["rtds.json", "rds-http.json"]


@pytest.mark.parametrize(
    ("endpoints", "weight_bp"), [(BOTH, 500), (EMPTY_CANARY, 0), (EMPTY_STABLE, 10_000), ({}, 0)]
)
def test_a_version_without_a_pod_gets_nothing(endpoints: Endpoints, weight_bp: int) -> None:
    assert weight_in_force_bp(a_plan(500), endpoints) == weight_bp


def test_a_version_is_made_of_the_content() -> None:
    assert [f.version for f in made(a_plan(1))] == [f.version for f in made(a_plan(1))]
    assert (
        msgspec.json.decode(made(a_plan(1))[-1].text)["version_info"] == made(a_plan(1))[-1].version
    )


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("request.claims['a'] == 'b'", "claims of a token are not read here"),
        ("!request.query['a'].matches('b')", "that a parameter does not match a pattern"),
        (
            "timestamp(request.query['a']) > now",
            "an instant can only be read from a header, not from request.query",
        ),
        ("request.cookies['a'] == 'say \"b\"'", "a cookie is read without its quotes"),
    ],
)
def test_what_envoy_cannot_say_is_refused_with_the_reason(rule: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        made(a_plan(0, "s", f"request.method == 'GET' && {rule}"))
    assert reason in str(refused.value)
    column = 29 if rule.startswith("!") else 28
    assert f"rule 'r0', column {column}, `{rule.removeprefix('!')[:11]}" in str(refused.value)


def test_alternatives_beyond_measure_are_refused() -> None:
    several = [f"(request.query['a{n}'] == '1' || request.query['b{n}'] == '1')" for n in range(7)]
    with pytest.raises(InvalidInput, match="more than 64 alternatives"):
        made(a_plan(0, "s", " && ".join(several)))


@pytest.mark.parametrize(("host", "both"), [("0.0.0.0", None), ("::", True), ("::1", None)])
def test_a_router_on_all_addresses_of_ipv6_serves_those_of_ipv4(
    host: str, both: bool | None
) -> None:
    found = bootstrap(a_plan(), listen_host=host, folder="/f")
    (listener,) = found["static_resources"]["listeners"]
    assert listener["address"]["socket_address"].get("ipv4_compat") is both
