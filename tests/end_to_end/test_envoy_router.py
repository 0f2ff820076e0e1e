"""Routers slide in front of a plain Service and out again, and no request notices."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serinus.load.outcome import ConnectionKind
from serinus.load.report import Report, z_score
from tests.end_to_end.stage import STABLE, Stage, measure, under_load

pytestmark = [pytest.mark.xdist_group("local-cluster"), pytest.mark.timeout(240)]

OpenStage = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]
RATE = 500
LATE_RATE = 200
"""Keep-alive clients that come while routers stand in front: they have to be let go again."""
LATE = (ConnectionKind.KEEP_ALIVE,)
TIMES = 10
SERVICE = {"app": "nginx"}
ROUTED = {"app": "nginx-service-router"}
RELEASE = """\
apiVersion: serinus.dev/v1alpha1
kind: CanaryRelease
metadata: {name: nginx-deployment}
spec:
  targetRef: {name: nginx-deployment}
  service: {name: nginx-service}
  router:
    type: Envoy
    envoy: {settle: 500ms, drain: 3s}
  steps:
"""
OURS = "trafficplans,deployments,services,roles,rolebindings,serviceaccounts,poddisruptionbudgets"


def lost(*reports: Report) -> list[dict[str, Any]]:
    """Return what failed, for the message of an assertion."""
    return [
        {
            "failed": report.failed_count,
            **{outcome: count for outcome, count in report.counts.items() if count},
            "examples": report.examples,
        }
        for report in reports
        if report.failed_count
    ]


def none_lost(*reports: Report) -> int:
    """Assert that every request was answered, and return how many there were."""
    assert all(report.valid for report in reports), [report.warnings for report in reports]
    assert lost(*reports) == []
    return sum(report.planned_count for report in reports)


def a_release(folder: Path, *steps: str) -> Path:
    path = folder / "release.yaml"
    path.write_text(RELEASE + "".join(f"  - {step}\n" for step in steps))
    return path


async def installed(stage: Stage) -> None:
    """Let the cluster know TrafficPlans, and run three pods behind a Service."""
    await stage.serinus("install", "--cli-only")
    await stage.kubectl("apply", "-f", STABLE)
    await stage.serving("nginx-deployment", 3)
    await stage.answering()


async def selector(stage: Stage) -> dict[str, str]:
    found: dict[str, str] = (await stage.object("service", "nginx-service"))["spec"]["selector"]
    return found


async def of_routers(stage: Stage) -> list[str]:
    found = await stage.kubectl("get", OURS, "-l", "serinus.dev/router", "-o", "name")
    return found.split()


async def release(stage: Stage, path: Path, *more: str) -> None:
    await stage.serinus("release", "nginx-deployment", "nginx=nginx:1.8.0", "-f", path, *more)


@pytest.fixture(autouse=True)
def whole_changes(request: pytest.FixtureRequest) -> None:
    """Skip where a change of a plain Service by itself loses a connection now and then."""
    if request.config.getoption("--service-proxy") == "kube-proxy":
        pytest.skip("nftables change one chain after the other: docs/adr/0030")


async def test_routers_come_and_go_ten_times_and_no_request_is_lost(
    make_stage: OpenStage, tmp_path: Path
) -> None:
    async with make_stage() as stage:
        await installed(stage)
        path = a_release(tmp_path, "setWeight: 0", "pause: {}")
        async with under_load(stage.url, rate=RATE) as result:
            await release(stage, path)
            for time in range(TIMES):
                assert await selector(stage) == ROUTED
                async with under_load(stage.url, rate=LATE_RATE, kinds=LATE) as late:
                    await stage.serinus("abort", "nginx-deployment")
                none_lost(await late)
                assert await selector(stage) == SERVICE
                assert await of_routers(stage) == []
                if time < TIMES - 1:
                    await stage.serinus("retry", "nginx-deployment")
        print(f"{TIMES} times in and out: {none_lost(await result)} requests, 0 failed")


async def test_a_whole_release_with_exact_shares_is_adopted(
    make_stage: OpenStage, tmp_path: Path
) -> None:
    async with make_stage(delay_ms=20) as stage:
        await installed(stage)
        path = a_release(tmp_path, "setWeight: 10", "pause: {}", "setWeight: 50", "pause: {}")
        async with under_load(stage.url, rate=RATE) as result:
            await release(stage, path)
            assert await selector(stage) == ROUTED
            async with under_load(stage.url, rate=LATE_RATE, kinds=LATE) as late:
                share = await measure(stage.url, request_count=3_000)
                await stage.serinus("resume", "nginx-deployment")
                before = {p["metadata"]["name"] for p in await stage.pods()}
                await stage.serinus("promote", "nginx-deployment")
        sent_count = none_lost(await result, await late, share)
        z = z_score(share.answered_by("1.8.0"), share.answered_count, 0.10)
        print(f"10 %: canary {share.share('1.8.0'):.2%}, z = {z:+.2f}; {sent_count} requests")
        assert abs(z) < 4.5
        pods = await stage.pods()
        assert {c["image"] for p in pods for c in p["spec"]["containers"]} == {"nginx:1.8.0"}
        assert len(pods) == 3
        assert len({p["metadata"]["name"] for p in pods} & before) == 2
        assert await selector(stage) == SERVICE
        assert await of_routers(stage) == []


async def test_an_abort_takes_all_users_off_the_canary_at_once(
    make_stage: OpenStage, tmp_path: Path
) -> None:
    async with make_stage(delay_ms=100, rude=True) as stage:
        await installed(stage)
        path = a_release(tmp_path, "setWeight: 50", "pause: {}")
        async with under_load(stage.url, rate=RATE) as result:
            await release(stage, path)
            async with under_load(stage.url, rate=LATE_RATE, kinds=LATE) as late:
                aborted = await stage.serinus("abort", "nginx-deployment")
        print(f"{none_lost(await result, await late)} requests, 0 failed")
        record = (await late).record
        assert record is not None
        last_ms = max(row.ended_us for row in record.rows(version="1.8.0")) // 1000
        print(f"from abort to the canary's last answer: {last_ms - aborted.began_ms} ms")
        assert await selector(stage) == SERVICE
        assert await of_routers(stage) == []
