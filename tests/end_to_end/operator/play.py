"""Releases that go on one after another while faults befall operator and control plane."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from serinus import errors
from serinus.kube import config
from serinus.kube.client import Client
from serinus.kube.kinds import CANARY_RELEASES, LEASES, PODS
from tests.control_plane.bench import ControlPlane
from tests.end_to_end.operator.conftest import LEASE_NAMESPACE, NAME, Operator
from tests.end_to_end.stage import under_load

REPLICAS = ("serinus-0", "serinus-1")
RATE = 200
STEPS: list[dict[str, Any]] = [
    {"setWeight": 25},
    {"pause": {}},
    {"setWeight": 50},
    {"pause": {}},
]
"""A command that was applied twice would run through the second pause."""
_WAIT_S = 120.0
_POLL_S = 0.1
_NAMESPACE = "default"
Fault = Callable[["Play"], Awaitable[None]]


class Play:
    """One operator, its releases, and what befalls them; the seed chooses all moments."""

    def __init__(self, operator: Operator, plane: ControlPlane, client: Client, seed: int) -> None:
        self.operator, self.plane = operator, plane
        self.random = random.Random(seed)
        self.command_count = self.release_count = 0
        self.stopped: list[tuple[str, float, float]] = []
        """Replicas that stood still while another led: who, from when, until when it may lead."""
        self._client = client
        self._image = "nginx:1.7.9"
        self._calm = asyncio.Lock()

    async def under(self, fault: Fault, *, count: int) -> None:
        """Play releases under load until a fault has come so many times."""
        await self.operator.apply(STEPS, router={"replicaRatio": {"settle": "1s"}})
        await self.until_phase("Healthy", {self._image})
        load = under_load(self.operator.stage.url, rate=RATE)
        async with load as result, asyncio.TaskGroup() as group:
            faults = group.create_task(self._inflict(fault, count))
            while not faults.done():
                await self._release()
        report = await result
        assert report.valid, report.warnings
        assert report.failed_count == 0, report.examples
        found = await self._client.get(CANARY_RELEASES, NAME, _NAMESPACE)
        self._assert_each_command_was_applied_once(found["metadata"]["uid"])
        self._assert_none_wrote_after_it_stood_still()
        print(
            f"{count} faults ({len(self.stopped)} leaders stood still so far), "
            f"{self.release_count} releases, {self.command_count} commands, "
            f"{report.planned_count} requests, 0 failed"
        )

    async def _inflict(self, fault: Fault, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(self.random.uniform(0, 3))
            async with self._calm:
                await fault(self)

    async def leader(self) -> str:
        """Return who holds the Lease, or nothing."""
        found = await self._client.get(LEASES, "serinus-controller", LEASE_NAMESPACE)
        return str(found["spec"].get("holderIdentity") or "")

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait for something, also while the API server does not answer."""
        end = time.monotonic() + _WAIT_S
        while True:
            try:
                if await condition():
                    return
            except errors.Unavailable:
                pass
            assert time.monotonic() < end, f"not within {_WAIT_S} s: {what}"
            await asyncio.sleep(_POLL_S)

    async def until_led(self, *pods: str) -> None:
        """Wait until one of these replicas leads."""

        async def leads() -> bool:
            return await self.leader() in pods

        await self.until(leads, f"one of {pods} leads")

    async def until_phase(self, phase: str, images: set[str]) -> None:
        """Wait for a phase in which all pods run these images."""

        async def reached() -> bool:
            return (await self._status()).get("phase") == phase and await self._images() == images

        await self.until(reached, f"{phase} with {images}")

    async def _status(self) -> dict[str, Any]:
        found = await self._client.get(CANARY_RELEASES, NAME, _NAMESPACE)
        return found.get("status") or {}

    async def _images(self) -> set[str]:
        pods = (await self._client.list(PODS, _NAMESPACE, label_selector="app=nginx")).items
        return {
            c["image"]
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            for c in pod["spec"]["containers"]
        }

    async def _release(self) -> None:
        """Play a release to its end: promoted, or aborted and taken back."""
        self.release_count += 1
        old, new = self._image, f"nginx:1.{100 + self.release_count}.0"
        async with self._calm:
            await self.operator.set_image(new)
        await self._until_paused_at(25)
        await self._give("resume")
        await self._until_paused_at(50)
        if self.random.random() < 0.3:
            await self._give("abort")
            await self.until_phase("Aborted", {old})
            await self._give("undo")
            await self.until_phase("Healthy", {old})
        else:
            await self._give("promote")
            await self.until_phase("Healthy", {new})
            self._image = new
        async with self._calm:
            await self._assert_nothing_is_left()

    async def _until_paused_at(self, percent: int) -> None:
        async def paused() -> bool:
            status = await self._status()
            return status.get("phase") == "Paused" and status.get("inForceWeight") == percent

        await self.until(paused, f"paused at {percent} %")

    async def _give(self, verb: str) -> None:
        """Give a command as a person does, who gives it again when nobody answered."""
        was_unheard = False
        while True:
            self.command_count += 1
            done = await self.operator.stage.try_("serinus", verb, NAME)
            if done.code == 0:
                return
            if was_unheard and done.code == 1:
                # Refused, as it was applied before: only the answer was lost.
                return
            assert done.code == 3, f"{verb}: {done.code}\n{done.stderr}"
            was_unheard = True

    async def _assert_nothing_is_left(self) -> None:
        stage = self.operator.stage
        deployments = (await stage.object("deployments"))["items"]
        assert [d["metadata"]["name"] for d in deployments] == [NAME]
        status = deployments[0]["status"]
        assert (status["updatedReplicas"], status["availableReplicas"]) == (3, 3)
        assert not deployments[0]["spec"].get("paused")
        service = await stage.object("service", "nginx-service")
        assert service["spec"]["selector"] == {"app": "nginx"}

    def _assert_each_command_was_applied_once(self, uid: str) -> None:
        """Assert from all that was ever stored: a command that was answered never comes again."""
        stored = {
            int(found["metadata"]["resourceVersion"]): found
            for write in self.plane.written()
            if (found := write.response_object).get("metadata", {}).get("uid") == uid
        }
        answered: list[str] = []
        for _, found in sorted(stored.items()):
            last = (found.get("status") or {}).get("lastCommand")
            if last and last["id"] not in answered[-1:]:
                answered.append(last["id"])
        assert answered
        assert len(answered) == len(set(answered))
        assert len(answered) <= self.command_count

    def _assert_none_wrote_after_it_stood_still(self) -> None:
        writes = self.plane.written()
        for pod, since_s, until_s in self.stopped:
            late = [
                str(write)
                for write in writes
                if write.user.username == pod
                and since_s < write.received_s < until_s
                # It asks for the Lease again, and may tell of what it did before.
                and write.object_ref.resource not in ("leases", "events")
            ]
            assert late == []


def client_of(plane: ControlPlane) -> Client:
    """Return a client that may do everything."""
    return Client(config.load(plane.kubeconfig), request_timeout_ms=5_000)
