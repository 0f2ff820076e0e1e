"""The operator's rounds over the API server of a local cluster: bad input is said where it stands.

No pod runs here, so what is released has no replicas: Healthy says that it is driven.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from serinus import errors
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.operator import concerns
from serinus.controller.operator.concerns import Key
from serinus.controller.operator.drivers import Drivers
from serinus.controller.operator.meters import Meters
from serinus.controller.operator.report import Report
from serinus.controller.operator.worker import Worker
from serinus.controller.operator.workqueue import WorkQueue
from serinus.install import crd
from serinus.install.settings import Settings
from serinus.kube import kinds
from serinus.kube.cache import Backoff
from serinus.kube.client import Client
from serinus.kube.recorder import Recorder
from serinus.process import SystemClock
from tests.conformance import local_server
from tests.install.waiting import until
from tests.unit.kubernetes_model.workloads.world import a_deployment
from tests.unit.release.world import a_service

NAMESPACE = "default"
Object = dict[str, Any]


def deployment(name: str, *, replicas: int = 0) -> Object:
    labels = {"app": name}
    body = a_deployment(name, replicas=replicas, selector={"matchLabels": labels})
    body["spec"]["template"]["metadata"]["labels"] = labels
    return body


def service(name: str, selects: str) -> Object:
    body = a_service()
    return {
        **body,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {**body["spec"], "selector": {"app": selects}},
    }


def release(name: str, *, target: str, behind: str, weight: int = 50) -> Object:
    return {
        "apiVersion": kinds.CANARY_RELEASES.api_version,
        "kind": kinds.CANARY_RELEASES.kind,
        "metadata": {"name": name},
        "spec": {
            "targetRef": {"name": target},
            "service": {"name": behind},
            "steps": [{"setWeight": weight}, {"pause": {}}],
        },
    }


class Scene:
    """A cluster with the kind, and a worker that drives."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self.client, self._caches = client, caches

    async def add(self, *objects: Object) -> None:
        known = {k.kind: k for k in (kinds.DEPLOYMENTS, kinds.SERVICES, kinds.CANARY_RELEASES)}
        for body in objects:
            await self.client.create(known[body["kind"]], body, NAMESPACE)

    async def status(self, name: str, holds: Callable[[Object], bool]) -> Object:
        """Wait until the status of a release is as it should be."""
        found: Object = {}
        try:
            async with asyncio.timeout(20):
                while True:
                    count = self._caches.changes.count
                    seen = self._caches.get(kinds.CANARY_RELEASES, NAMESPACE, name) or {}
                    found = dict(seen.get("status") or {})
                    if holds(found):
                        return found
                    await self._caches.changes.wait(1_000, since_count=count)
        except TimeoutError:
            raise AssertionError(f"the status of {name} stays {found}") from None

    async def condition(self, name: str, type_: str, reason: str) -> str:
        """Wait for a condition that holds; return its message."""
        found = await self.status(name, lambda status: (type_, reason) in held(status))
        return held(found)[type_, reason]

    async def is_driven(self, name: str = "good") -> None:
        await self.status(name, lambda status: status.get("phase") == "Healthy")


def held(status: Object) -> dict[tuple[str, str], str]:
    return {
        (c["type"], c["reason"]): c["message"]
        for c in status.get("conditions") or ()
        if c["status"] == "True"
    }


@pytest_asyncio.fixture(loop_scope="function")
async def scene() -> AsyncIterator[Scene]:
    async with local_server.running() as connection, Client(connection) as client:
        await client.create(kinds.CUSTOM_RESOURCE_DEFINITIONS, crd.definition(Settings()))
        await until(functools.partial(_is_served, client))
        async with Caches(client, None, shared=True) as caches:
            queue: WorkQueue[Key] = WorkQueue(Backoff(first_ms=10, ceiling_ms=100))
            clock = SystemClock()
            report = Report(Recorder(client, clock, host="test"), Meters())
            worker = Worker(caches, queue, Drivers(caches), report, clock=clock)
            concerns.listen(caches, queue.add)
            running = asyncio.ensure_future(worker.run())
            yield Scene(client, caches)
            running.cancel()
            await asyncio.wait([running])
            queue.close()


async def _is_served(client: Client) -> bool:
    with contextlib.suppress(errors.NotFound):
        await client.list(kinds.CANARY_RELEASES, NAMESPACE)
        return True
    return False


async def test_broken_releases_say_what_to_mend_and_where_and_the_others_go_on(
    scene: Scene,
) -> None:
    await scene.add(
        *(deployment(name) for name in ("good", "lost", "astray")),
        deployment("coarse", replicas=3),
        *(service(name, name) for name in ("good", "coarse")),
        service("astray", "somebody-else"),
        release("untargeted", target="nobody", behind="good"),
        release("lost", target="lost", behind="lost"),
        release("astray", target="astray", behind="astray"),
        release("coarse", target="coarse", behind="coarse", weight=1),
        release("good", target="good", behind="good"),
    )
    assert await scene.condition("untargeted", "Degraded", "Degraded") == (
        "spec.targetRef.name: Deployment nobody is not there; create it, or delete this release"
    )
    assert await scene.condition("lost", "ServiceMissing", "Refused") == (
        "spec.service.name: Service lost is not there; create it, or name the one in front of "
        "the pods"
    )
    assert await scene.condition("astray", "ServiceDoesNotSelect", "Refused") == (
        "spec.service.name: Service astray selects app=somebody-else, not the pods of Deployment "
        "astray; name one that selects them"
    )
    weight = await scene.condition("coarse", "Weight", "Refused")
    assert weight.startswith("spec.steps[0].setWeight: 3 replicas cannot express 1 %")
    await scene.is_driven()


async def test_what_is_mended_goes_on_by_itself(scene: Scene) -> None:
    await scene.add(release("shop", target="shop", behind="shop"))
    await scene.condition("shop", "Degraded", "Degraded")
    await scene.add(deployment("shop"), service("shop", "shop"))
    found = await scene.status("shop", lambda status: status.get("phase") == "Healthy")
    assert not [type_ for type_, _ in held(found) if type_ in ("Degraded", "ServiceMissing")]


async def test_a_service_that_selects_others_from_now_on_is_told_of(scene: Scene) -> None:
    await scene.add(
        deployment("good"), service("good", "good"), release("good", target="good", behind="good")
    )
    await scene.is_driven()
    selector = {"spec": {"selector": {"app": "else"}}}
    await scene.client.patch(kinds.SERVICES, "good", NAMESPACE, selector)
    message = await scene.condition("good", "ServiceDoesNotSelect", "Refused")
    assert "Service good selects app=else" in message


async def test_a_status_that_cannot_be_read_is_named_and_left_as_it_is(scene: Scene) -> None:
    await scene.add(
        *(deployment(name) for name in ("odd", "good")),
        *(service(name, name) for name in ("odd", "good")),
        release("odd", target="odd", behind="odd"),
    )
    await scene.is_driven("odd")
    status = {"status": {"phase": "Analysing", "stepIndex": 7}}
    await scene.client.patch(kinds.CANARY_RELEASES, "odd", NAMESPACE, status, subresource="status")
    message = await scene.condition("odd", "Degraded", "Invalid")
    assert "phase: Invalid enum value 'Analysing'" in message
    assert "it was written by another version of serinus" in message
    found = await scene.status("odd", lambda _: True)
    assert (found["phase"], found["stepIndex"]) == ("Analysing", 7)
    await scene.client.delete(kinds.CANARY_RELEASES, "odd", NAMESPACE)
    said = await scene.status("odd", lambda status: "deleted, it stays" in str(held(status)))
    assert "its finalizer serinus.dev/release is gone" in held(said)["Degraded", "Invalid"]
    await scene.add(release("good", target="good", behind="good"))
    await scene.is_driven()


async def test_a_second_release_of_a_deployment_is_told_which_is_the_first(scene: Scene) -> None:
    await scene.add(
        deployment("good"), service("good", "good"), release("good", target="good", behind="good")
    )
    await scene.is_driven()
    await scene.add(release("second", target="good", behind="good"))
    message = await scene.condition("second", "Degraded", "TwoReleases")
    assert message == (
        "CanaryRelease good is older and names Deployment good too: delete one of them"
    )
    await scene.client.delete(kinds.CANARY_RELEASES, "good", NAMESPACE)
    await scene.is_driven("second")


async def test_a_budget_over_both_revisions_is_a_condition_and_no_obstacle(scene: Scene) -> None:
    budget = {
        "metadata": {"name": "pdb"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "shop"}}},
    }
    await scene.client.create(kinds.POD_DISRUPTION_BUDGETS, budget, NAMESPACE)
    await scene.add(
        deployment("shop", replicas=2),
        service("shop", "shop"),
        release("shop", target="shop", behind="shop"),
    )
    message = await scene.condition("shop", "BudgetCountsBoth", "Noted")
    assert message.startswith("PodDisruptionBudget pdb counts the pods of both revisions")


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"targetRef": {"kind": "StatefulSet", "name": "x"}}, "spec.targetRef.kind"),
        ({"router": {"type": "Carrier"}}, "spec.router.type"),
    ],
)
async def test_what_the_definition_refuses_never_comes_to_the_operator(
    scene: Scene, spec: Object, place: str
) -> None:
    body = release("x", target="x", behind="x")
    with pytest.raises(errors.Invalid, match=place):
        await scene.client.create(
            kinds.CANARY_RELEASES, {**body, "spec": {**body["spec"], **spec}}, NAMESPACE
        )
