"""No release loses a request: every one that was sent is counted, through every transition."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from serinus.load.outcome import ConnectionKind
from serinus.load.report import Report, z_score
from tests.end_to_end.stage import CANARY, STABLE, Ended, Stage, measure, under_load

pytestmark = [pytest.mark.xdist_group("local-cluster"), pytest.mark.timeout(300)]

OpenStage = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]
RATE = 550
DELAY_MS = 500
LATE = (ConnectionKind.KEEP_ALIVE,)
"""Clients that come while the canary serves: those of before never see it."""
LATE_COUNT = 200
"""Each asks again as soon as it is answered, so that every pod has over ten requests at TERM."""
SETTLE_MS = 2_000
GRACE_MS = 2_000


def lost(report: Report) -> dict[str, Any]:
    """Return what failed, for the message of an assertion."""
    bad = {k: n for k, n in report.counts.items() if n and k != "answered"}
    return {"failed": report.failed_count, **bad, "examples": report.examples}


async def with_stable(stage: Stage) -> None:
    await stage.kubectl("apply", "-f", STABLE)
    await stage.serving("nginx-deployment", 3)
    await stage.answering()


async def test_the_classic_pair_gets_a_quarter_of_ten_thousand_connections(
    make_stage: OpenStage,
) -> None:
    async with make_stage() as stage:
        await with_stable(stage)
        await stage.kubectl("apply", "-f", CANARY)
        await stage.serving("nginx-deployment-canary", 1)
        await stage.serinus("set-weight", "nginx-deployment", "25")
        report = await measure(stage.url, request_count=10_000)
        z = z_score(report.answered_by("1.8.0"), report.answered_count, 0.25)
        print(f"canary {report.share('1.8.0'):.2%} of {report.answered_count}, z = {z:+.2f}")
        assert report.failed_count == 0, lost(report)
        assert report.answered_count == 10_000
        assert abs(z) < 4.5


async def pair(stage: Stage) -> int:
    """Add, promote, add and abort a canary made by hand; return how many requests were sent."""
    await with_stable(stage)
    async with under_load(stage.url, rate=RATE) as result:
        await stage.kubectl("apply", "-f", CANARY)
        await stage.serving("nginx-deployment-canary", 1)
        async with under_load(stage.url, rate=None, connections=LATE_COUNT, kinds=LATE) as late:
            await stage.serinus("promote", "nginx-deployment")
        images = {c["image"] for p in await stage.pods() for c in p["spec"]["containers"]}
    assert images == {"nginx:1.8.0"}
    sent_count = _none_lost(await result, await late)
    async with under_load(stage.url, rate=RATE) as result:
        await stage.kubectl("set", "image", "deployment/nginx-deployment", "nginx=nginx:1.9.0")
        await stage.kubectl("rollout", "status", "deployment/nginx-deployment")
        await stage.kubectl("apply", "-f", CANARY)
        await stage.serving("nginx-deployment-canary", 1)
        async with under_load(stage.url, rate=None, connections=LATE_COUNT, kinds=LATE) as late:
            await stage.serinus("set-weight", "nginx-deployment", "25")
            aborted = await stage.serinus("abort", "nginx-deployment")
    sent_count += _none_lost(await result, await late)
    images = {c["image"] for p in await stage.pods() for c in p["spec"]["containers"]}
    assert images == {"nginx:1.9.0"}
    _assert_left_in_time(aborted, "1.8.0", await result, await late)
    _assert_work_at_term(stage)
    print(f"{sent_count} requests, 0 failed")
    return sent_count


async def test_a_pair_is_added_promoted_added_and_aborted_without_a_lost_request(
    make_stage: OpenStage,
) -> None:
    async with make_stage(delay_ms=DELAY_MS) as stage:
        await pair(stage)


def _none_lost(*reports: Report) -> int:
    """Assert that every request was answered, and return how many there were."""
    for report in reports:
        assert report.valid, report.warnings
        assert report.failed_count == 0, lost(report)
    return sum(report.planned_count for report in reports)


def _assert_left_in_time(aborted: Ended, version: str, new: Report, keep_alive: Report) -> None:
    """Assert how long after `abort` the canary answered; both are printed."""
    for report, kind, limit_ms in (
        (new, ConnectionKind.NEW, 1_000),
        (keep_alive, ConnectionKind.KEEP_ALIVE, SETTLE_MS + GRACE_MS + 1_000),
    ):
        assert report.record is not None
        rows = report.record.rows(version=version, kind=kind)
        # A connection made before counts by when it was made: its answer takes DELAY_MS by itself.
        last_ms = max(row.ended_us for row in rows) // 1000 - DELAY_MS
        after_ms = last_ms - aborted.began_ms
        print(
            f"from abort to the canary's last answer, {kind.value}: {after_ms} (aim {limit_ms}) ms"
        )
        # The aim is `limit_ms`, on a machine that does nothing else; here a loose bound must do.
        assert after_ms < 4 * limit_ms


def _assert_work_at_term(stage: Stage) -> None:
    in_flight = stage.in_flight_at_term()
    print(f"requests in flight at each TERM: {in_flight}")
    assert in_flight
    assert min(in_flight) >= 10


async def adoption(stage: Stage) -> int:
    """Release by adoption; return how many requests were sent."""
    await with_stable(stage)
    # Those who stay were there before the canary, so each pod that goes has work to the end.
    async with (
        under_load(stage.url, rate=RATE) as result,
        under_load(stage.url, rate=None, connections=LATE_COUNT, kinds=LATE) as staying,
    ):
        await stage.serinus(
            *("release", "nginx-deployment", "nginx=nginx:1.8.0"),
            *("--steps", "25,pause:1s,50,100,pause"),
        )
        before = await _canary_pods(stage)
        await stage.serinus("promote", "nginx-deployment")
    sent_count = _none_lost(await result, await staying)
    after = {p["metadata"]["uid"]: p["status"]["startTime"] for p in await stage.pods()}
    assert after == before
    assert len(after) == 3
    assert (await result).answered_by("1.8.0") > 0
    deployment = await stage.object("deployment", "nginx-deployment")
    assert deployment["status"]["updatedReplicas"] == 3
    service = await stage.object("service", "nginx-service")
    assert service["spec"]["selector"] == {"app": "nginx"}
    _assert_work_at_term(stage)
    print(f"{sent_count} requests, 0 failed; no pod was started by the promotion")
    return sent_count


async def test_a_release_by_adoption_starts_no_pod_and_loses_no_request(
    make_stage: OpenStage,
) -> None:
    async with make_stage(delay_ms=DELAY_MS) as stage:
        await adoption(stage)


async def _canary_pods(stage: Stage) -> dict[str, str]:
    return {
        p["metadata"]["uid"]: p["status"]["startTime"]
        for p in await stage.pods()
        if p["spec"]["containers"][0]["image"] == "nginx:1.8.0"
    }


async def abort(stage: Stage) -> int:
    """Release and abort; return how many requests were sent."""
    await with_stable(stage)
    async with under_load(stage.url, rate=RATE) as result:
        await stage.serinus(
            *("release", "nginx-deployment", "nginx=nginx:1.8.0"),
            *("--steps", "25,pause:1s,50,pause"),
        )
        async with under_load(stage.url, rate=None, connections=LATE_COUNT, kinds=LATE) as late:
            await stage.serinus("status", "nginx-deployment")
            aborted = await stage.serinus("abort", "nginx-deployment")
        await stage.serinus("undo", "nginx-deployment")
    sent_count = _none_lost(await result, await late)
    assert (await result).answered_by("1.8.0") > 0
    _assert_left_in_time(aborted, "1.8.0", await result, await late)
    images = {c["image"] for p in await stage.pods() for c in p["spec"]["containers"]}
    assert images == {"nginx:1.7.9"}
    _assert_work_at_term(stage)
    print(f"{sent_count} requests, 0 failed")
    return sent_count


async def test_a_release_that_is_aborted_loses_no_request(make_stage: OpenStage) -> None:
    async with make_stage(delay_ms=DELAY_MS) as stage:
        await abort(stage)


async def target_changed(stage: Stage) -> int:
    """Change the template in the middle of its trial, and promote the second one."""
    await with_stable(stage)
    steps = ("--steps", "25,pause:1s,50,pause")
    async with under_load(stage.url, rate=RATE) as result:
        await stage.serinus("release", "nginx-deployment", "nginx=nginx:1.8.0", *steps)
        await stage.kubectl("set", "image", "deployment/nginx-deployment", "nginx=nginx:1.9.0")
        async with under_load(stage.url, rate=None, connections=LATE_COUNT, kinds=LATE) as late:
            await stage.serinus("release", "nginx-deployment", *steps)
        await stage.serinus("promote", "nginx-deployment")
    sent_count = _none_lost(await result, await late)
    for version in ("1.7.9", "1.8.0", "1.9.0"):
        assert (await result).answered_by(version) > 0
    images = {c["image"] for p in await stage.pods() for c in p["spec"]["containers"]}
    assert images == {"nginx:1.9.0"}
    _assert_work_at_term(stage)
    print(f"{sent_count} requests, 0 failed")
    return sent_count


async def test_a_template_that_is_changed_in_its_trial_loses_no_request(
    make_stage: OpenStage,
) -> None:
    async with make_stage(delay_ms=DELAY_MS) as stage:
        await target_changed(stage)


async def undo_in_the_window(stage: Stage) -> int:
    """Abort at 100 %, while the old pods still stand by."""
    await with_stable(stage)

    async def stands_by() -> bool:
        answer = await stage.try_("serinus", "status", "nginx-deployment", "-o", "json")
        waiting = json.loads(answer.stdout or "{}").get("status", {}).get("waiting") or {}
        return bool(waiting.get("reason") == "WaitingForUndoWindow")

    async with under_load(stage.url, rate=RATE) as result:
        driver = asyncio.create_task(
            stage.try_(
                *("serinus", "release", "nginx-deployment", "nginx=nginx:1.8.0"),
                *("--steps", "25,pause:1s,50,100", "--undo-window", "5m"),
            )
        )
        await stage.until(stands_by, "the old pods stand by")
        async with under_load(stage.url, rate=None, connections=LATE_COUNT, kinds=LATE) as late:
            aborted = await stage.serinus("abort", "nginx-deployment")
            await driver
        await stage.serinus("undo", "nginx-deployment")
    sent_count = _none_lost(await result, await late)
    assert (await result).answered_by("1.8.0") > 0
    _assert_left_in_time(aborted, "1.8.0", await result, await late)
    images = {c["image"] for p in await stage.pods() for c in p["spec"]["containers"]}
    assert images == {"nginx:1.7.9"}
    _assert_work_at_term(stage)
    print(f"{sent_count} requests, 0 failed")
    return sent_count


async def test_an_abort_in_the_undo_window_loses_no_request(make_stage: OpenStage) -> None:
    async with make_stage(delay_ms=DELAY_MS) as stage:
        await undo_in_the_window(stage)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_fifty_thousand_requests_through_every_transition_and_none_lost(
    make_stage: OpenStage,
) -> None:
    sent_count = 0
    while sent_count < 50_000:
        for play in (pair, adoption, abort, target_changed, undo_in_the_window):
            async with make_stage(delay_ms=DELAY_MS) as stage:
                sent_count += await play(stage)
    print(f"{sent_count} requests in all, 0 failed")
