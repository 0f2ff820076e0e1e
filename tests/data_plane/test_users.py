"""One user, one version: Envoy and `serinus.assignment` put every user into the same bucket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import pytest_asyncio

from serinus.assignment.bucket import bucket
from serinus.load.report import z_score
from tests.data_plane.asking import Answer, Question, ask, ask_all, user
from tests.data_plane.pods import Pod, pod
from tests.data_plane.router import a_plan, a_port, routing

SALT = "default/shop/7"
USER_COUNT = 1_000
WEIGHTS = (5, 10, 25, 50, 100)

SOURCES: dict[str, tuple[dict[str, str], Callable[[str], Question]]] = {
    "header": ({"header": "X-User"}, lambda name: Question(headers=[("X-User", name)])),
    "cookie": (
        {"cookie": "sid"},
        lambda name: Question(headers=[("cookie", f"a=b; sid={name}; c=d")]),
    ),
    "cookie in quotes": (
        {"cookie": "sid"},
        lambda name: Question(headers=[("cookie", f'sid="{name}"')]),
    ),
    "query": ({"query": "u"}, lambda name: Question(f"/cart?page=2&u={name}&uu=x")),
}


@pytest_asyncio.fixture
async def pods() -> AsyncIterator[tuple[Pod, Pod]]:
    async with pod("stable") as stable, pod("canary") as canary:
        yield stable, canary


def a_split(pods: tuple[Pod, Pod], **split: Any) -> dict[str, Any]:
    stable, canary = pods
    return a_plan(a_port(), [stable.address], [canary.address], split=split)


def names(count: int) -> list[str]:
    return [f"user-{n}@example.org" if n % 2 else f"{n:x}" for n in range(count)]


def versions(answers: Sequence[Answer]) -> list[str]:
    assert {answer.status for answer in answers} == {200}
    return [answer.version for answer in answers]


def expected(users: Sequence[str], weight: int, salt: str = SALT) -> list[str]:
    return ["canary" if bucket(each, salt) < weight * 100 else "stable" for each in users]


@pytest.mark.parametrize("source", SOURCES)
async def test_a_user_of_this_source_gets_the_version_that_her_bucket_says(
    source: str, pods: tuple[Pod, Pod]
) -> None:
    identity, question = SOURCES[source]
    users = names(USER_COUNT)
    async with routing(a_split(pods, identity=[identity])) as router:
        for weight in (5, 50):
            await router.split(weight=weight)
            found = versions(await ask_all(router.port, [question(each) for each in users]))
            assert found == expected(users, weight)


async def test_raising_the_weight_moves_users_forward_alone_and_repeats_move_nobody(
    pods: tuple[Pod, Pod],
) -> None:
    users = names(USER_COUNT)
    questions = [user(each) for each in users]
    before: set[str] = set()
    async with routing(a_split(pods)) as router:
        for weight in WEIGHTS:
            await router.split(weight=weight)
            found = versions(await ask_all(router.port, questions))
            assert versions(await ask_all(router.port, questions)) == found
            on_canary = {u for u, version in zip(users, found, strict=True) if version == "canary"}
            assert before <= on_canary
            assert abs(z_score(len(on_canary), len(users), weight / 100)) < 4.5
            before = on_canary


async def test_another_salt_draws_other_users_first(pods: tuple[Pod, Pod]) -> None:
    users = names(USER_COUNT)
    questions = [user(each) for each in users]
    salt = "default/shop/8"
    async with routing(a_split(pods, weight=50)) as router:
        await router.split(salt=salt)
        found = versions(await ask_all(router.port, questions))
    assert found == expected(users, 50, salt)
    assert found != expected(users, 50)


async def test_a_user_keeps_her_version_over_a_restart_of_the_router(
    pods: tuple[Pod, Pod],
) -> None:
    questions = [user(each) for each in names(200)]
    async with routing(a_split(pods, weight=50)) as router:
        before = versions(await ask_all(router.port, questions))
    async with routing(a_split(pods, weight=50)) as router:
        assert versions(await ask_all(router.port, questions)) == before


async def test_the_source_address_is_a_user_too(pods: tuple[Pod, Pod]) -> None:
    number = bucket("127.0.0.1", SALT)
    async with routing(a_split(pods, identity=[{"sourceAddress": ""}])) as router:
        for weight_bp in (number, number + 1):
            await router.split(weight=weight_bp / 100)
            found = await ask(router.port)
            assert found.version == ("canary" if number < weight_bp else "stable")


async def test_what_is_missing_empty_or_repeated_leads_to_the_next_source(
    pods: tuple[Pod, Pod],
) -> None:
    on_canary = next(u for u in names(100) if bucket(u, SALT) < 5_000)
    on_stable, other = [u for u in names(100) if bucket(u, SALT) >= 5_000][:2]
    chain = [{"header": "x-user"}, {"cookie": "sid"}, {"query": "u"}]
    first_says = [
        [("x-user", "")],
        *([("x-user", each), ("x-user", each)] for each in (on_stable, other, "a", "b", "c")),
        [("x-user", on_stable), ("x-user", other)],
        [("x-user", f"{on_stable},{other}")],
        [("cookie", f"sid={on_stable}; sid={on_stable}")],
        [("cookie", "sid=")],
        [("cookie", "sid")],
    ]
    questions = [Question(f"/?u={on_canary}", headers) for headers in first_says]
    async with routing(a_split(pods, weight=50, identity=chain)) as router:
        assert versions(await ask_all(router.port, questions)) == ["canary"] * len(questions)
        both = Question(f"/?u={on_canary}", [("x-user", on_stable)])
        assert versions(await ask_all(router.port, [both])) == ["stable"]


async def test_a_new_user_gets_an_id_that_keeps_her_where_she_began(
    pods: tuple[Pod, Pod],
) -> None:
    cookie = {"name": "who", "secure": True, "sameSite": "Strict", "maxAgeSeconds": 60}
    async with routing(a_split(pods, weight=50, cookie=cookie)) as router:
        first = await ask_all(router.port, [Question()] * 200)
        ids = []
        for answer in first:
            value, *attributes = answer.headers["set-cookie"].split("; ")
            ids.append(value.removeprefix("who="))
            assert set(attributes) == {
                *("Path=/", "Max-Age=60", "Secure", "HttpOnly", "SameSite=Strict")
            }
        assert len(set(ids)) == len(ids)
        assert versions(first) == expected(ids, 50)
        again = [Question(headers=[("cookie", f"who={each}")]) for each in ids]
        second = await ask_all(router.port, again)
        assert versions(second) == versions(first)
        assert all("set-cookie" not in answer.headers for answer in second)
        known = await ask(router.port, user("anna"))
        assert "set-cookie" not in known.headers


async def test_a_clients_own_request_id_is_neither_used_as_her_id_nor_lost(
    pods: tuple[Pod, Pod],
) -> None:
    question = Question(headers=[("x-request-id", "guess-me")])
    async with routing(a_split(pods, weight=50, cookie={})) as router:
        answer = await ask(router.port, question)
    assert "guess-me" not in answer.headers["set-cookie"]
    assert [h.headers["x-request-id"] for each in pods for h in each.heard] == ["guess-me"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("source", SOURCES)
async def test_100_000_users_get_the_version_that_their_bucket_says(
    source: str, pods: tuple[Pod, Pod]
) -> None:
    identity, question = SOURCES[source]
    users = names(100_000)
    async with routing(a_split(pods, identity=[identity], weight=25)) as router:
        found = versions(await ask_all(router.port, [question(each) for each in users]))
    assert found == expected(users, 25)


async def test_a_new_user_keeps_her_version_where_rules_lead_to_the_percentage(
    pods: tuple[Pod, Pod],
) -> None:
    """Her id is there also where only a computed condition leads to her route."""
    rules = [
        {
            "name": "new",
            "when": "timestamp(request.headers['x-t']) > timestamp('2026-01-01T00:00:00Z')",
            "to": "percentage",
        },
        {"name": "all", "when": "request.headers['x-a'] == 'b'", "to": "stable"},
    ]
    headers = [("x-t", "2026-02-01T00:00:00Z"), ("x-a", "b")]
    async with routing(a_split(pods, weight=50, cookie={"name": "who"}, rules=rules)) as router:
        first = await ask_all(router.port, [Question(headers=headers)] * 100)
    ids = [a.headers["set-cookie"].partition(";")[0].removeprefix("who=") for a in first]
    assert versions(first) == expected(ids, 50)


async def test_a_new_user_is_known_by_no_header_that_is_taken_away(pods: tuple[Pod, Pod]) -> None:
    plan = a_split(pods, weight=50, cookie={"name": "who"})
    plan["spec"]["edge"] = {"stripHeaders": ["x-user"]}
    async with routing(plan) as router:
        first = await ask_all(router.port, [user("anna")] * 100)
    ids = [a.headers["set-cookie"].partition(";")[0].removeprefix("who=") for a in first]
    assert versions(first) == expected(ids, 50)
