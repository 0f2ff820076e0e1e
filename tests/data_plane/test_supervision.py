"""Whatever happens to Envoy, to its agent or to the plan, the last good configuration serves."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from serinus.load.outcome import ConnectionKind, Outcome
from serinus.load.plan import LoadPlan
from serinus.load.run import run
from serinus.process import SystemClock
from tests.data_plane.asking import Question, ask, ask_all, user
from tests.data_plane.pods import Pod, free_port, pod
from tests.data_plane.router import Router, a_plan, a_port, routing
from tests.data_plane.waiting import until


@pytest_asyncio.fixture
async def pods() -> AsyncIterator[tuple[Pod, Pod]]:
    async with pod("stable") as stable, pod("canary") as canary:
        yield stable, canary


def plan(pods: tuple[Pod, Pod], weight: float = 0, **spec: Any) -> dict[str, Any]:
    stable, canary = pods
    split = {"weight": weight}
    return a_plan(a_port(), [stable.address], [canary.address], split=split, **spec)


async def restarted(router: Router, count: int) -> None:
    await until(lambda: router.report()["restartCount"] == count, "it was restarted")


async def told(router: Router, problem: str) -> None:
    await until(lambda: problem in router.report()["problem"], f"told: {problem}")


async def test_a_killed_envoy_comes_back_as_it_was(pods: tuple[Pod, Pod]) -> None:
    async with routing(plan(pods)) as router:
        await router.split(weight=100)
        for count in (1, 2):
            router.envoy.kill()
            await restarted(router, count)
            await until(lambda: router.report()["ready"], "it serves again")
            assert (await ask(router.port, user("a"))).version == "canary"
        await router.split(weight=0)
        assert (await ask(router.port, user("a"))).version == "stable"


async def test_a_plan_that_comes_while_envoy_is_away_is_taken_when_it_is_back(
    pods: tuple[Pod, Pod],
) -> None:
    async with routing(plan(pods)) as router:
        for weight, version in ((100, "canary"), (0, "stable")) * 3:
            router.envoy.kill()
            await router.split(weight=weight)
            assert (await ask(router.port, user("a"))).version == version


async def test_a_plan_that_envoy_did_not_answer_to_is_tried_again(pods: tuple[Pod, Pod]) -> None:
    async with routing(plan(pods)) as router:
        envoy = router.envoy
        envoy.suspend()
        try:
            split = {**router.plan["spec"]["split"], "weight": 100}
            router.write(split=split)
            await told(router, "does not answer")
        finally:
            envoy.resume()
        await router.in_force()
        assert router.report()["problem"] == ""
        assert (await ask(router.port, user("a"))).version == "canary"


async def test_envoy_dies_with_its_agent(pods: tuple[Pod, Pod]) -> None:
    async with routing(plan(pods)) as router:
        envoy = router.envoy
        router.process.kill()
        await until(
            lambda: not envoy.is_running() or envoy.status() == psutil.STATUS_ZOMBIE, "gone"
        )


async def test_a_plan_that_is_none_is_told_and_the_last_good_one_stays(
    pods: tuple[Pod, Pod],
) -> None:
    async with routing(plan(pods, 100)) as router:
        for text, problem in (
            ("{", "is not YAML"),
            (json.dumps({**router.plan, "kind": "Deployment"}), "is not 'TrafficPlan'"),
        ):
            router.write_text(text)
            await told(router, problem)
            assert not router.report()["inForce"]
            assert (await ask(router.port, user("a"))).version == "canary"
        await router.split(weight=0)
        assert router.report()["inForce"]
        assert (await ask(router.port, user("a"))).version == "stable"


async def test_what_envoy_refuses_is_told_in_its_words_and_survives_no_restart(
    pods: tuple[Pod, Pod],
) -> None:
    async with routing(plan(pods, 100)) as router:
        # Longer than a duration may be.
        router.write(timeouts={"connectMs": 10**18})
        await until(lambda: "Envoy refuses cds.json" in router.report()["problem"], "told")
        assert "uration" in router.report()["problem"]
        assert router.report()["inForceGeneration"] == 1
        assert (await ask(router.port, user("a"))).version == "canary"
        router.envoy.kill()
        await until(lambda: router.report()["restartCount"] == 1, "it was restarted")
        await until(lambda: router.report()["ready"], "it serves again")
        assert (await ask(router.port, user("a"))).version == "canary"
        await router.set(timeouts={"connectMs": 500})
        assert router.report()["problem"] == ""


async def test_other_ports_are_refused_while_a_router_runs(pods: tuple[Pod, Pod]) -> None:
    async with routing(plan(pods, 100)) as router:
        router.write(ports=[{"name": "http", "listen": free_port()}])
        await until(lambda: "other ports need other routers" in router.report()["problem"], "told")
        assert (await ask(router.port, user("a"))).version == "canary"


async def test_a_rule_that_envoy_cannot_say_is_refused_with_its_place_and_the_reason(
    pods: tuple[Pod, Pod],
) -> None:
    rules = [
        {
            "name": "vip",
            "when": "request.method == 'GET' && request.claims['plan'] == 'vip'",
            "to": "canary",
        }
    ]
    async with routing(plan(pods, 0)) as router:
        router.write(split={**router.plan["spec"]["split"], "rules": rules})
        await until(lambda: bool(router.report()["problem"]), "told")
        problem = router.report()["problem"]
    assert "rule 'vip', column 28, `request.claims['plan'] == 'vip'`" in problem
    assert "claims of a token are not read here" in problem


async def test_only_the_owner_may_open_envoys_admin(pods: tuple[Pod, Pod]) -> None:
    async with routing(plan(pods)) as router:
        socket = router.folder / "envoy" / "admin.sock"
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


async def test_nothing_of_a_request_is_logged(pods: tuple[Pod, Pod]) -> None:
    pods[1].behaviour = "reset"
    async with routing(plan(pods, 100, retryOnStable={})) as router:
        question = Question("/secret-path", [("x-user", "secret-user"), ("cookie", "s=secret-sid")])
        assert (await ask(router.port, question)).status == 200
        await ask_all(router.port, [user("secret-user")] * 10)
        router.write_text("{")
        await until(lambda: bool(router.report()["problem"]), "told")
        assert "secret" not in router.log()
        assert "secret" not in json.dumps(router.report())


async def test_a_router_that_stops_lets_its_clients_go(pods: tuple[Pod, Pod]) -> None:
    """Kept connections are told to close after an answer; new ones are served until the end."""
    async with routing(plan(pods), "--drain-ms", "1500") as router:
        load = LoadPlan(
            url=router.url, kinds=(ConnectionKind.KEEP_ALIVE,), rate_per_s=200, duration_ms=1_500
        )
        running = asyncio.create_task(run(load, clock=SystemClock()))
        await until(lambda: pods[0].count > 20, "the load has begun")
        router.process.terminate()
        report = await running
        await router.process.wait()
    lost = {o: n for o, n in report.counts.items() if n and o != Outcome.ANSWERED.value}
    assert set(lost) <= {Outcome.REFUSED.value}, report.examples
    assert report.answered_count > 200


class Ended:
    """An agent that gave up at once."""

    def __init__(self, code: int | None, said: str) -> None:
        self.code, self.said = code, said


async def ended(plan: dict[str, Any] | str, *arguments: str) -> Ended:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.yaml"
        path.write_text(plan if isinstance(plan, str) else json.dumps(plan))
        command = ["-m", "serinus.router_agent", "--plan", str(path), "--listen", "127.0.0.1"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, *arguments, stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
        return Ended(process.returncode, said.decode())


async def test_all_that_is_wrong_with_a_first_plan_is_told_at_once() -> None:
    wrong = a_plan(70_000, ["localhost:80"], ["10.0.0.1:80"], split={"weight": 101})
    wrong["spec"]["split"]["rules"] = [
        {"name": "a", "when": "request.header['x'] == 1", "to": "canary"}
    ]
    wrong["spec"]["timeouts"] = {"connectMs": 0}
    found = await ended(wrong)
    assert found.code == 2
    for part in (
        "spec.ports[0].listen: 70000 is outside 1..65535",
        "spec.stable.endpoints.http[0]: 'localhost:80' is not ADDRESS:PORT",
        "spec.split.weight: 101 is outside 0..100",
        "spec.split.rules[0].when:",
        "spec.timeouts.connectMs: 0 must be 1 or more",
    ):
        assert part in found.said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prts": []}, "unknown field `prts`"),
        ({"timeouts": {"connect": 1}}, "unknown field `connect` - at `spec.timeouts`"),
    ],
)
async def test_an_unknown_field_is_refused(change: dict[str, Any], said: str) -> None:
    made = a_plan(8080, ["127.0.0.1:1"], ["127.0.0.1:2"])
    made["spec"].update(change)
    found = await ended(made)
    assert (found.code, said in found.said) == (2, True), found.said


async def test_a_port_that_is_taken_is_refused(pods: tuple[Pod, Pod]) -> None:
    made = plan(pods)
    made["spec"]["ports"][0]["listen"] = int(pods[0].address.rpartition(":")[2])
    found = await ended(made)
    assert found.code == 1
    assert "Address already in use" in found.said


async def test_an_envoy_that_is_missing_or_another_is_refused(pods: tuple[Pod, Pod]) -> None:
    missing = await ended(plan(pods), "--envoy", "/nowhere/envoy")
    assert missing.code == 1
    assert "/nowhere/envoy is not there; pip install 'serinus[envoy]'" in missing.said
    other = await ended(plan(pods), "--envoy", sys.executable)
    assert other.code == 1
    assert "is version unknown, and 1.40 is needed" in other.said
