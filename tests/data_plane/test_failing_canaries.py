"""A canary that fails: its users see nothing of it, and it is counted all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from serinus.assignment.bucket import bucket
from serinus.assignment.intervals import Version
from serinus.traffic.envoy.counters import PATTERN, Counts, counts
from tests.data_plane.asking import Answer, Question, ask, ask_all, user
from tests.data_plane.pods import Pod, free_port, pod
from tests.data_plane.router import Router, a_plan, a_port, routing

USERS = [f"user-{n}" for n in range(200)]
ON_CANARY = [u for u in USERS if bucket(u, "default/shop/7") < 5_000]
RETRY = {"perTryTimeoutMs": 200}


@pytest_asyncio.fixture
async def stable() -> AsyncIterator[Pod]:
    async with pod("stable") as found:
        yield found


@pytest_asyncio.fixture
async def canary() -> AsyncIterator[Pod]:
    async with pod("canary") as found:
        yield found


def plan(stable: Pod, canary: str, **spec: Any) -> dict[str, Any]:
    return a_plan(a_port(), [stable.address], [canary], split={"weight": 50}, **spec)


async def asked(router: Router, **options: Any) -> list[Answer]:
    questions = [Question(headers=user(each).headers, **options) for each in USERS]
    return await ask_all(router.port, questions, connection_count=50)


async def counted(router: Router) -> dict[Version, Counts]:
    return counts(await router.stats(PATTERN), "http")


@pytest.mark.parametrize("behaviour", ["fail", "reset", "hang", "fail-third"])
async def test_stable_answers_for_a_canary_that_does_this(
    behaviour: str, stable: Pod, canary: Pod
) -> None:
    canary.behaviour = behaviour
    # What answers is waited for: beside a try that is late its failure would not be counted.
    retry = RETRY if behaviour == "hang" else {"perTryTimeoutMs": 10_000}
    async with routing(plan(stable, canary.address, retryOnStable=retry)) as router:
        answers = await asked(router)
        found = await counted(router)
    assert {answer.status for answer in answers} == {200}
    assert canary.count == len(ON_CANARY)
    failed = len(ON_CANARY) // 3 if behaviour == "fail-third" else len(ON_CANARY)
    assert found[Version.CANARY] == Counts(len(ON_CANARY), failed, failed)
    assert found[Version.STABLE].failure_count == 0


async def test_stable_answers_for_a_canary_that_nobody_hears(stable: Pod) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with routing(plan(stable, nobody, retryOnStable=RETRY)) as router:
        answers = await asked(router)
        found = await counted(router)
    assert {answer.version for answer in answers} == {"stable"}
    assert {answer.status for answer in answers} == {200}
    assert found[Version.CANARY] == Counts(len(ON_CANARY), len(ON_CANARY), len(ON_CANARY))


async def test_a_slow_canary_is_not_cut_off_when_stable_is_no_faster(
    stable: Pod, canary: Pod
) -> None:
    stable.behaviour = canary.behaviour = "slow"
    async with routing(plan(stable, canary.address, retryOnStable=RETRY)) as router:
        answer = await ask(router.port, user(ON_CANARY[0]))
    assert (answer.status, answer.version) == (200, "canary")
    assert stable.count == 2  # asked beside it, as often as a request may be repeated


@pytest.mark.parametrize(
    ("spec", "method"),
    [({}, "GET"), ({"retryOnStable": RETRY}, "POST")],
    ids=["not asked for", "not repeatable"],
)
async def test_a_failure_reaches_the_user_where_a_repetition_is(
    spec: dict[str, Any], method: str, stable: Pod, canary: Pod
) -> None:
    canary.behaviour = "fail"
    async with routing(plan(stable, canary.address, **spec)) as router:
        answers = await asked(router, method=method, body=b"x" if method == "POST" else b"")
        found = await counted(router)
    assert [a.status for a in answers].count(500) == len(ON_CANARY)
    assert canary.count == len(ON_CANARY)
    assert found[Version.CANARY] == Counts(len(ON_CANARY), len(ON_CANARY), 0)


async def test_a_request_that_reached_nobody_is_tried_again_whatever_its_method(
    stable: Pod,
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with routing(plan(stable, nobody)) as router:
        answers = await asked(router, method="POST", body=b"once")
    assert {answer.status for answer in answers} == {200}
    assert [heard.body for heard in stable.heard] == [b"once"] * len(USERS)


async def test_stables_own_failures_stay_what_they_are(stable: Pod, canary: Pod) -> None:
    stable.behaviour = "fail"
    async with routing(plan(stable, canary.address, retryOnStable=RETRY)) as router:
        answers = await asked(router)
        found = await counted(router)
    on_stable = len(USERS) - len(ON_CANARY)
    assert [a.status for a in answers].count(500) == on_stable
    assert stable.count == on_stable
    assert found[Version.STABLE] == Counts(on_stable, on_stable, 0)


async def test_a_client_cannot_ask_for_repetitions(stable: Pod, canary: Pod) -> None:
    canary.behaviour = "fail"
    wishes = [
        *(("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "9")),
        ("x-user", ON_CANARY[0]),
    ]
    async with routing(plan(stable, canary.address)) as router:
        answer = await ask(router.port, Question(headers=wishes))
    assert answer.status == 500
    assert canary.count == 1
    assert "x-envoy-max-retries" not in canary.heard[0].headers


async def test_many_failures_at_once_are_all_hidden(stable: Pod, canary: Pod) -> None:
    """Envoy's own default lets three requests at a time be tried again."""
    canary.behaviour = "fail"
    async with routing(plan(stable, canary.address, retryOnStable=RETRY)) as router:
        answers = await asyncio.gather(*(ask(router.port, user(each)) for each in ON_CANARY * 2))
    assert {answer.status for answer in answers} == {200}
