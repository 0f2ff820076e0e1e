"""`kubectl rollout resume` while no operator runs: who waits for it, and what it costs."""

from __future__ import annotations

import pytest

from tests.end_to_end.operator.conftest import NAME, SERVICE, OpenOperator, Operator
from tests.end_to_end.operator.test_releases import (
    NEW,
    OLD,
    QUARTER,
    RATE,
    is_clean,
    none_lost,
    pod_starts,
)
from tests.end_to_end.stage import measure, under_load

pytestmark = [pytest.mark.xdist_group("local-cluster"), pytest.mark.timeout(300)]

HASH = "pod-template-hash"
SLOW = {"router": {"replicaRatio": {"settle": "6s"}}}


async def resume(operator: Operator) -> None:
    await operator.stage.kubectl("rollout", "resume", f"deployment/{NAME}")


async def until_runs(operator: Operator, image: str) -> None:
    async def runs() -> bool:
        return await operator.images() == {image}

    await operator.stage.until(runs, f"all pods run {image}")
    await operator.stage.serving(NAME, 3)


async def nobody_answers(operator: Operator) -> bool:
    return (await measure(operator.stage.url, request_count=5)).failed_count == 5


async def narrowed_to_stable(operator: Operator) -> None:
    """Abort, and kill the operator when the Service selects the stable revision alone."""
    await operator.apply(QUARTER, **SLOW)
    await operator.until_phase("Healthy")
    await operator.set_image(NEW)
    await operator.until_phase("Paused")
    await operator.stage.serinus("abort", NAME)

    async def narrowed() -> bool:
        service = await operator.stage.object("service", SERVICE)
        return HASH in service["spec"]["selector"]

    await operator.stage.until(narrowed, "the Service is narrowed")
    await operator.kill()


async def test_held_by_a_field_at_rest_it_rolls_out_without_a_lost_request(
    make_operator: OpenOperator,
) -> None:
    async with make_operator(hold="field") as operator:
        await operator.apply(QUARTER)
        await operator.until_phase("Healthy")
        await operator.kill()
        async with under_load(operator.stage.url, rate=RATE) as result:
            await operator.set_image(NEW)
            assert await operator.images() == {OLD}
            await resume(operator)
            await until_runs(operator, NEW)
            await operator.start()
            await operator.until_phase("Healthy", revision_of=NEW)
        none_lost(await result)
        await is_clean(operator)


async def test_held_by_a_field_and_narrowed_it_costs_requests_until_an_operator_is_back(
    make_operator: OpenOperator,
) -> None:
    async with make_operator(hold="field") as operator:
        await narrowed_to_stable(operator)
        async with under_load(operator.stage.url, rate=RATE) as result:
            await resume(operator)
            await until_runs(operator, NEW)
            await operator.stage.until(lambda: nobody_answers(operator), "the old pods are gone")
            await operator.start()
            await operator.until_phase("Healthy", revision_of=NEW)
        report = await result
        print(f"narrowed: {report.failed_count} of {report.planned_count} requests failed")
        assert report.failed_count > 0
        after = await measure(operator.stage.url, request_count=500)
        assert after.failed_count == 0, after.examples
        await is_clean(operator)


@pytest.mark.parametrize("where", ["at rest", "narrowed"])
async def test_held_by_the_policy_it_changes_nothing(
    make_operator: OpenOperator, stage_kind: str, where: str
) -> None:
    if stage_kind != "kubernetes":
        pytest.skip("the local cluster plays no admission policies")
    async with make_operator(hold="policy") as operator:
        if where == "narrowed":
            await narrowed_to_stable(operator)
        else:
            await operator.apply(QUARTER)
            await operator.until_phase("Healthy")
            await operator.kill()
            await operator.set_image(NEW)
        async with under_load(operator.stage.url, rate=RATE) as result:
            for _ in range(2):
                await resume(operator)
                deployment = await operator.stage.object("deployment", NAME)
                assert deployment["spec"]["paused"] is True
            assert OLD in await operator.images()
            await operator.start()
            await operator.until_phase("Aborted" if where == "narrowed" else "Paused")
            assert len(await pod_starts(operator, OLD)) == 3
            if where == "at rest":
                await operator.stage.serinus("promote", NAME)
                await operator.until_phase("Healthy", revision_of=NEW)
                deployment = await operator.stage.object("deployment", NAME)
                assert not deployment["spec"].get("paused")
        none_lost(await result)
        await is_clean(operator)
