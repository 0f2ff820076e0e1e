"""Whole releases from a CanaryRelease object, under counted load: no request is lost."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.load.report import Report
from tests.end_to_end.operator.conftest import NAME, SERVICE, OpenOperator, Operator
from tests.end_to_end.stage import under_load

pytestmark = [pytest.mark.xdist_group("local-cluster"), pytest.mark.timeout(300)]

RATE = 220
OLD, NEW, NEWER = "nginx:1.7.9", "nginx:1.8.0", "nginx:1.9.0"
QUARTER: list[dict[str, Any]] = [{"setWeight": 25}, {"pause": {}}]


def none_lost(report: Report) -> None:
    assert report.valid, report.warnings
    assert report.failed_count == 0, report.examples
    print(f"{report.planned_count} requests, 0 failed")


async def pod_starts(operator: Operator, image: str) -> dict[str, str]:
    return {
        p["metadata"]["uid"]: p["status"]["startTime"]
        for p in await operator.stage.pods()
        if p["spec"]["containers"][0]["image"] == image
    }


async def is_clean(operator: Operator) -> None:
    """Assert that nothing of a release is left but the Deployment's own hold."""
    stage = operator.stage
    names = [d["metadata"]["name"] for d in (await stage.object("deployments"))["items"]]
    assert names == [NAME]
    service = await stage.object("service", SERVICE)
    assert service["spec"]["selector"] == {"app": "nginx"}


async def test_a_template_set_by_kubectl_is_tried_and_adopted(make_operator: OpenOperator) -> None:
    async with make_operator() as operator:
        await operator.apply([*QUARTER, {"setWeight": 100}, {"pause": {}}])
        await operator.until_phase("Healthy")
        async with under_load(operator.stage.url, rate=RATE) as result:
            await operator.set_image(NEW)
            await operator.until_phase("Paused")
            found = (await operator.found())["status"]
            assert (found["weight"], found["inForceWeight"]) == (25, 25)
            await operator.stage.serinus("resume", NAME)
            await operator.stage.until(lambda: _weight(operator, 100), "all on the canary")
            before = await pod_starts(operator, NEW)
            assert len(before) == 3
            await operator.stage.serinus("promote", NAME)
            await operator.until_phase("Healthy", revision_of=NEW)
        none_lost(await result)
        assert (await result).answered_by("1.8.0") > 0
        assert await pod_starts(operator, NEW) == before
        await is_clean(operator)


async def _weight(operator: Operator, percent: int) -> bool:
    status = (await operator.found()).get("status") or {}
    return status.get("phase") == "Paused" and status.get("inForceWeight") == percent


async def test_a_rolling_update_promotes_without_a_lost_request(
    make_operator: OpenOperator,
) -> None:
    async with make_operator() as operator:
        await operator.apply(QUARTER, promotion={"method": "RollingUpdate"})
        await operator.until_phase("Healthy")
        async with under_load(operator.stage.url, rate=RATE) as result:
            await operator.set_image(NEW)
            await operator.until_phase("Paused")
            await operator.stage.serinus("promote", NAME)
            await operator.until_phase("Healthy", revision_of=NEW)
        none_lost(await result)
        await is_clean(operator)


async def test_an_abort_and_an_undo_bring_everything_back(make_operator: OpenOperator) -> None:
    async with make_operator() as operator:
        await operator.apply(QUARTER)
        await operator.until_phase("Healthy")
        async with under_load(operator.stage.url, rate=RATE) as result:
            await operator.set_image(NEW)
            await operator.until_phase("Paused")
            await operator.stage.serinus("abort", NAME)
            await operator.until_phase("Aborted", revision_of=OLD)
            await operator.stage.serinus("undo", NAME)
            await operator.until_phase("Healthy", revision_of=OLD)
        none_lost(await result)
        await is_clean(operator)


async def test_a_template_that_changes_in_the_midst_starts_anew(
    make_operator: OpenOperator,
) -> None:
    async with make_operator() as operator:
        await operator.apply(QUARTER)
        await operator.until_phase("Healthy")
        async with under_load(operator.stage.url, rate=RATE) as result:
            await operator.set_image(NEW)
            await operator.until_phase("Paused")
            await operator.set_image(NEWER)

            async def newer_on_trial() -> bool:
                images = await operator.images()
                return images == {OLD, NEWER} and await _weight(operator, 25)

            await operator.stage.until(newer_on_trial, "the newer template is on trial")
            await operator.stage.serinus("promote", NAME)
            await operator.until_phase("Healthy", revision_of=NEWER)
        none_lost(await result)
        await is_clean(operator)


async def test_an_undo_window_brings_the_old_pods_back_at_once(make_operator: OpenOperator) -> None:
    async with make_operator() as operator:
        await operator.apply(QUARTER, promotion={"undoWindow": "10m"})
        await operator.until_phase("Healthy")
        async with under_load(operator.stage.url, rate=RATE) as result:
            await operator.set_image(NEW)
            await operator.until_phase("Paused")
            old = await pod_starts(operator, OLD)
            await operator.stage.serinus("promote", NAME)

            async def in_the_window() -> bool:
                waiting = ((await operator.found()).get("status") or {}).get("waiting") or {}
                return waiting.get("reason") == "WaitingForUndoWindow"

            await operator.stage.until(in_the_window, "the undo window is open")
            await operator.stage.serinus("abort", NAME)
            await operator.until_phase("Aborted", revision_of=OLD)
        none_lost(await result)
        assert await pod_starts(operator, OLD) == old
        await is_clean(operator)


async def test_a_release_that_is_deleted_in_the_midst_leaves_what_runs(
    make_operator: OpenOperator,
) -> None:
    async with make_operator() as operator:
        await operator.apply(QUARTER)
        await operator.until_phase("Healthy")
        async with under_load(operator.stage.url, rate=RATE) as result:
            await operator.set_image(NEW)
            await operator.until_phase("Paused")
            await operator.stage.kubectl("delete", "crel", NAME, "--timeout=50s")
        none_lost(await result)
        assert await operator.images() == {OLD}
        await is_clean(operator)
        deployment = await operator.stage.object("deployment", NAME)
        assert "serinus.dev/release" not in deployment["metadata"].get("labels", {})
        assert deployment["spec"]["paused"] is True


async def test_a_killed_operator_costs_no_request_and_goes_on(make_operator: OpenOperator) -> None:
    async with make_operator() as operator:
        await operator.apply([{"setWeight": 25}, {"pause": {"duration": "1s"}}, {"setWeight": 50}])
        await operator.until_phase("Healthy")
        async with under_load(operator.stage.url, rate=RATE) as result:
            await operator.set_image(NEW)
            await operator.stage.until(lambda: _started(operator), "the release began")
            await operator.kill()
            await operator.start()
            await operator.until_phase("Healthy", revision_of=NEW)
        none_lost(await result)
        await is_clean(operator)


async def _started(operator: Operator) -> bool:
    return "startedTime" in ((await operator.found()).get("status") or {})


async def test_a_standby_takes_over_from_a_leader_that_is_gone(make_operator: OpenOperator) -> None:
    async with make_operator() as operator:
        await operator.start("serinus-1")
        await operator.apply(QUARTER)
        await operator.until_phase("Healthy")
        async with under_load(operator.stage.url, rate=RATE) as result:
            await operator.set_image(NEW)
            await operator.until_phase("Paused")
            await operator.kill("serinus-0")
            await operator.stage.serinus("promote", NAME)
            await operator.until_phase("Healthy", revision_of=NEW)
        none_lost(await result)
        lease = await operator.stage.object("lease", "serinus-controller", "-n", "serinus-system")
        assert lease["spec"]["holderIdentity"] == "serinus-1"


async def test_a_release_of_the_command_line_is_taken_over(make_operator: OpenOperator) -> None:
    """Begun without an operator; its record is a ConfigMap, then an object."""
    async with make_operator() as operator:
        stage = operator.stage
        await operator.kill()
        await stage.serinus("release", NAME, f"nginx={NEW}", "--steps", "25,pause")
        before = await pod_starts(operator, NEW)
        await operator.start()
        await operator.until_phase("Paused")
        await stage.serinus("promote", NAME)
        await operator.until_phase("Healthy", revision_of=NEW)
        assert before.items() <= (await pod_starts(operator, NEW)).items()
        names = [c["metadata"]["name"] for c in (await stage.object("configmaps"))["items"]]
        assert f"serinus-{NAME}" not in names


async def test_a_second_release_of_one_deployment_is_refused_in_its_status(
    make_operator: OpenOperator,
) -> None:
    async with make_operator() as operator:
        await operator.apply(QUARTER)
        await operator.until_phase("Healthy")
        second = await operator.found()
        second["metadata"] = {"name": "second"}
        del second["status"]
        await operator.apply_object(second)
        await operator.stage.kubectl(
            "wait", "--for=jsonpath={.status.phase}=Degraded", "crel/second", "--timeout=30s"
        )
        found = await operator.stage.object("crel", "second")
        assert f"CanaryRelease {NAME} is older" in found["status"]["message"]
        assert (await operator.found())["status"]["phase"] == "Healthy"


async def test_a_full_promotion_is_given_to_the_operator(make_operator: OpenOperator) -> None:
    async with make_operator() as operator:
        await operator.apply(
            [*QUARTER, {"setWeight": 50}, {"pause": {"duration": "1h"}}],
            promotion={"undoWindow": "1h"},
        )
        await operator.until_phase("Healthy")
        await operator.set_image(NEW)
        await operator.stage.serinus("wait", NAME, "--for", "paused", "--timeout", "60s")
        await operator.stage.serinus("promote", NAME, "--full")
        await operator.stage.serinus("wait", NAME, "--for", "healthy", "--timeout", "60s")
        assert await operator.images() == {NEW}
        await is_clean(operator)
