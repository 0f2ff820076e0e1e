"""What travels with a request: the tag, the client's own words, a copy for the canary."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from tests.data_plane.asking import Question, ask, ask_all, user
from tests.data_plane.pods import Pod, pod
from tests.data_plane.router import a_plan, a_port, routing
from tests.data_plane.waiting import until


@pytest_asyncio.fixture
async def pods() -> AsyncIterator[tuple[Pod, Pod]]:
    async with pod("stable") as stable, pod("canary") as canary:
        yield stable, canary


def plan(pods: tuple[Pod, Pod], weight: int, **spec: Any) -> dict[str, Any]:
    stable, canary = pods
    split = {"weight": weight, **spec.pop("split", {})}
    return a_plan(a_port(), [stable.address], [canary.address], split=split, **spec)


def tags(found: Pod) -> set[str]:
    return {heard.headers.get("x-serinus-version", "") for heard in found.heard}


async def test_a_pod_is_told_which_version_it_plays_whatever_the_client_said(
    pods: tuple[Pod, Pod],
) -> None:
    forged = [
        Question(headers=[("x-user", f"u{n}"), ("x-serinus-version", "forged")]) for n in range(40)
    ]
    async with routing(plan(pods, 50)) as router:
        await ask_all(router.port, forged)
    assert (tags(pods[0]), tags(pods[1])) == ({"stable"}, {"canary"})


async def test_a_pod_that_answers_for_another_version_is_told_its_own(
    pods: tuple[Pod, Pod],
) -> None:
    pods[1].behaviour = "fail"
    async with routing(plan(pods, 100, retryOnStable={})) as router:
        await ask_all(router.port, [user("a")] * 10)
    assert (tags(pods[0]), tags(pods[1])) == ({"stable"}, {"canary"})


async def test_the_tag_of_an_outer_hop_is_followed_only_where_it_is_trusted(
    pods: tuple[Pod, Pod],
) -> None:
    tagged = Question(headers=[("x-serinus-version", "canary"), ("x-user", "a")])
    async with routing(plan(pods, 0)) as router:
        assert (await ask(router.port, tagged)).version == "stable"
        await router.set(edge={"trustsTag": True})
        assert (await ask(router.port, tagged)).version == "canary"
        assert (await ask(router.port, user("a"))).version == "stable"


async def test_headers_that_no_client_may_send_are_gone_before_anything_is_decided(
    pods: tuple[Pod, Pod],
) -> None:
    rules = [{"name": "staff", "when": "request.headers['x-staff'] == 'yes'", "to": "canary"}]
    question = Question(headers=[("X-Staff", "yes"), ("x-other", "kept")])
    async with routing(plan(pods, 0, split={"rules": rules})) as router:
        assert (await ask(router.port, question)).version == "canary"
        await router.set(edge={"stripHeaders": ["X-Staff"]})
        assert (await ask(router.port, question)).version == "stable"
    assert "x-staff" not in pods[0].heard[0].headers
    assert pods[0].heard[0].headers["x-other"] == "kept"


async def test_the_request_and_the_answer_are_left_as_they_were(pods: tuple[Pod, Pod]) -> None:
    question = Question("/a//b/../c%2Fd?q=1&q=%20", [("host", "shop.example:81"), ("x-a", "b")])
    async with routing(plan(pods, 0)) as router:
        answer = await ask(router.port, question)
    heard = pods[0].heard[0]
    assert heard.target == question.target
    assert heard.headers["host"] == "shop.example:81"
    assert heard.headers["x-a"] == "b"
    added = set(heard.headers) - {"host", "x-a"}
    assert added <= {
        *("x-serinus-version", "x-forwarded-for", "x-forwarded-proto", "x-envoy-external-address"),
        # HTTP/1.1 says so without a body, too.
        "content-length",
    }
    assert set(answer.headers) - {"date"} == {"x-serinus-version", "content-length"}


async def test_a_mirrored_request_reaches_the_canary_and_its_answer_nobody(
    pods: tuple[Pod, Pod],
) -> None:
    stable, canary = pods
    canary.behaviour = "fail"
    users = [user(f"u{n}") for n in range(50)]
    async with routing(plan(pods, 0, mirror={"weightBp": 10_000})) as router:
        answers = await ask_all(router.port, users)
        await until(lambda: canary.count == 50, "all are copied")
        posts = [Question(method="POST", body=b"x")] * 10
        answers += await ask_all(router.port, posts)
        assert {(a.status, a.version) for a in answers} == {(200, "stable")}
        assert stable.count == 60
        await router.set(mirror={"weightBp": 1_000})
        await ask_all(router.port, users * 20)
        assert 50 < canary.count < 250
    assert {heard.method for heard in canary.heard} == {"GET"}
    assert {heard.headers["host"] for heard in canary.heard} == {"shop"}


async def test_nobody_waits_for_a_canary_that_hangs_with_its_copies(pods: tuple[Pod, Pod]) -> None:
    pods[1].behaviour = "hang"
    async with routing(plan(pods, 0, mirror={"weightBp": 10_000})) as router:
        answers = await ask_all(router.port, [user("a")] * 200)
    assert {(a.status, a.version) for a in answers} == {(200, "stable")}
