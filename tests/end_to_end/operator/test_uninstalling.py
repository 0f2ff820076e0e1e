"""Uninstalled in any phase, serinus leaves what it found: the user's own objects, and all pods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.end_to_end.operator.conftest import NAME, SERVICE, OpenOperator, Operator
from tests.end_to_end.operator.test_releases import NEW, OLD, QUARTER, RATE, none_lost
from tests.end_to_end.stage import under_load

pytestmark = [pytest.mark.xdist_group("local-cluster"), pytest.mark.timeout(300)]

SLOW = {"router": {"replicaRatio": {"settle": "6s"}}}
"""Proxies get so long to follow that a phase in which they do is seen for certain."""
NOWHERE = "nothing.invalid/shop:2"
REVISION = "deployment.kubernetes.io/revision"
Reach = Callable[[Operator], Awaitable[None]]


async def healthy(operator: Operator) -> None:
    await operator.apply(QUARTER)
    await operator.until_phase("Healthy")


async def progressing(operator: Operator) -> None:
    await operator.apply(QUARTER)
    await operator.until_phase("Healthy")
    await operator.set_image(NOWHERE)
    await operator.until_phase("Progressing")


async def paused(operator: Operator) -> None:
    await operator.apply(QUARTER)
    await operator.until_phase("Healthy")
    await operator.set_image(NEW)
    await operator.until_phase("Paused")


async def promoting(operator: Operator) -> None:
    await operator.apply(QUARTER, **SLOW)
    await operator.until_phase("Healthy")
    await operator.set_image(NEW)
    await operator.until_phase("Paused")
    await operator.stage.serinus("promote", NAME)
    await operator.until_phase("Promoting")


async def promoted(operator: Operator) -> None:
    await paused(operator)
    await operator.stage.serinus("promote", NAME)
    await operator.until_phase("Healthy", revision_of=NEW)


async def aborting(operator: Operator) -> None:
    await operator.apply(QUARTER, **SLOW)
    await operator.until_phase("Healthy")
    await operator.set_image(NEW)
    await operator.until_phase("Paused")
    await operator.stage.serinus("abort", NAME)
    await operator.until_phase("Aborting")


async def aborted(operator: Operator) -> None:
    await paused(operator)
    await operator.stage.serinus("abort", NAME)
    await operator.until_phase("Aborted")


async def degraded(operator: Operator) -> None:
    # Three pods have no such share.
    await operator.apply([{"setWeight": 1}, {"pause": {}}])
    await operator.until_phase("Healthy")
    await operator.set_image(NEW)
    await operator.until_phase("Degraded")


PHASES: dict[str, tuple[Reach, str, bool]] = {
    "Healthy": (healthy, OLD, True),
    "Healthy after a promotion": (promoted, NEW, True),
    "Progressing": (progressing, OLD, False),
    "Paused": (paused, OLD, False),
    "Promoting": (promoting, OLD, False),
    "Aborting": (aborting, OLD, False),
    "Aborted": (aborted, OLD, False),
    "Degraded": (degraded, OLD, False),
}
"""How each is reached, what runs afterwards, and whether that is the template."""


IN_EACH_RUN = ("Healthy", "Paused", "Promoting")


@pytest.mark.parametrize(
    "phase",
    [pytest.param(p, marks=[] if p in IN_EACH_RUN else [pytest.mark.slow]) for p in PHASES],
)
async def test_uninstalling_leaves_the_users_objects_as_they_were(
    make_operator: OpenOperator, phase: str
) -> None:
    reach, image, is_template = PHASES[phase]
    async with make_operator() as operator:
        stage = operator.stage
        before = await users(operator)
        async with under_load(stage.url, rate=RATE) as result:
            await reach(operator)
            written = (await stage.object("deployment", NAME))["spec"]["template"]
            await stage.serinus("uninstall", "--let-go")
            await stage.serving(NAME, 3)
        none_lost(await result)
        after = await users(operator)
        # The template is what the user last wrote. Unpaused, one that was not promoted would roll
        # out untried.
        before["deployment"]["spec"]["template"] = written
        if not is_template:
            before["deployment"]["spec"]["paused"] = True
        assert after == before
        assert [p["spec"]["containers"][0]["image"] for p in await stage.pods()] == [image] * 3
        await nothing_is_left(operator)


async def users(operator: Operator) -> dict[str, Any]:
    """Return the user's objects without what every write and every rollout changes."""
    found = {
        "deployment": await operator.stage.object("deployment", NAME),
        "service": await operator.stage.object("service", SERVICE),
    }
    for each in found.values():
        for field in ("resourceVersion", "managedFields", "generation"):
            each["metadata"].pop(field, None)
        each["metadata"].get("annotations", {}).pop(REVISION, None)
        del each["status"]
    return found


async def nothing_is_left(operator: Operator) -> None:
    """Assert that nothing of serinus is in the cluster, but the Lease of whoever led."""
    stage = operator.stage
    assert [d["metadata"]["name"] for d in (await stage.object("deployments"))["items"]] == [NAME]
    kinds = (await stage.kubectl("api-resources", "-o", "name")).split()
    ours = ("serinus", "clusterrole", "customresourcedefinition", "mutatingadmissionpolic")
    for kind in [kind for kind in kinds if kind.startswith(ours) or "serinus" in kind]:
        names = [item["metadata"]["name"] for item in (await stage.object(kind))["items"]]
        assert not [name for name in names if "serinus" in name], kind
    for kind in ("configmaps", "leases", "replicasets"):
        for item in (await stage.object(kind))["items"]:
            meta = item["metadata"]
            marks = {**meta.get("labels", {}), **meta.get("annotations", {})}
            assert not [mark for mark in marks if mark.startswith("serinus.dev/")], meta["name"]
