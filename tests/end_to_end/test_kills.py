"""A driver that is killed at any moment leaves a release that the next one ends right."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Callable

import pytest

from serinus.load.outcome import ConnectionKind
from serinus.local_cluster import daemons
from serinus.local_cluster.lifecycle import SERVER, LocalCluster
from tests.end_to_end.stage import STABLE, Stage, under_load

pytestmark = [pytest.mark.xdist_group("local-cluster")]

OpenStage = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]
SEED = 20_261_125
RATE = 60
NAME = "nginx-deployment"
STEPS = ("--steps", "25,pause:300ms,50,pause:300ms", "--settle", "1s")
RELEASE_MS = 5_000
"""About what an undisturbed release of this length takes: kills fall anywhere within."""


class Killer:
    """Start a command, and kill it at a moment that the seed chooses."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._random = random.Random(seed)
        self.kill_count = 0

    async def killed(self, *arguments: str) -> bool:
        """Return whether the kill came before the command's own end."""
        process = await asyncio.create_subprocess_exec(
            *self._stage.command("serinus", *arguments),
            env=self._stage.environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._random.uniform(0.2, RELEASE_MS / 1000)):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            self.kill_count += 1
            return True
        return False


async def assert_ends_right(stage: Stage, image: str) -> None:
    """Assert that the release of `image` is over, and that nothing of it is left."""
    deployments = (await stage.object("deployments"))["items"]
    assert [d["metadata"]["name"] for d in deployments] == [NAME]
    status = deployments[0]["status"]
    assert (status["updatedReplicas"], status["availableReplicas"]) == (3, 3)
    assert {p["spec"]["containers"][0]["image"] for p in await stage.pods()} == {image}
    service = await stage.object("service", "nginx-service")
    assert service["spec"]["selector"] == {"app": "nginx"}


async def releases_under_kills(stage: Stage, *, kill_count: int, release_count: int) -> Killer:
    """Play releases and kill their drivers until both counts are reached."""
    killer = Killer(stage, SEED)
    number = 0
    await stage.kubectl("apply", "-f", STABLE)
    await stage.serving(NAME, 3)
    await stage.answering()
    async with under_load(stage.url, rate=RATE, kinds=(ConnectionKind.NEW,)) as result:
        while number < release_count or killer.kill_count < kill_count:
            number += 1
            image = f"nginx:1.{number}.0"
            command = ("release", NAME, f"nginx={image}", *STEPS)
            while killer.kill_count < kill_count and await killer.killed(*command):
                pass
            # Whoever comes next ends it, however often the driver died before.
            await stage.serinus(*command)
            await assert_ends_right(stage, image)
    report = await result
    print(f"{number} releases, {killer.kill_count} kills, {report.planned_count} requests")
    assert report.failed_count == 0, report.examples
    return killer


@pytest.mark.timeout(300)
async def test_a_killed_driver_costs_no_request_and_the_same_command_ends_the_release(
    make_stage: OpenStage,
) -> None:
    async with make_stage() as stage:
        killer = await releases_under_kills(stage, kill_count=4, release_count=1)
        assert killer.kill_count >= 4


@pytest.mark.slow
@pytest.mark.timeout(5_400)
async def test_a_hundred_kills_over_twenty_releases_cost_no_request(make_stage: OpenStage) -> None:
    async with make_stage() as stage:
        killer = await releases_under_kills(stage, kill_count=100, release_count=20)
        assert killer.kill_count >= 100


async def server_kills(stage: Stage, cluster: LocalCluster, *, kill_count: int) -> None:
    """Kill the local cluster's server in the middle of releases, and start it again."""
    source = random.Random(SEED)
    await stage.kubectl("apply", "-f", STABLE)
    await stage.serving(NAME, 3)
    await stage.answering()
    done_count = number = 0
    async with under_load(stage.url, rate=RATE, kinds=(ConnectionKind.NEW,)) as result:
        while done_count < kill_count:
            number += 1
            image = f"nginx:1.{number}.0"
            release = asyncio.ensure_future(
                stage.serinus("release", NAME, f"nginx={image}", *STEPS)
            )
            while not release.done() and done_count < kill_count:
                await asyncio.wait({release}, timeout=source.uniform(0.2, 2.0))
                if release.done():
                    break
                before = await stage.try_("kubectl", "create", "configmap", f"kept-{done_count}")
                await asyncio.to_thread(_kill_server, cluster)
                done_count += 1
                await asyncio.to_thread(cluster.up)
                if before.code == 0:
                    # What was acknowledged before the kill is there after it.
                    await stage.kubectl("get", "configmap", f"kept-{done_count - 1}")
            await asyncio.wait({release})
            if release.exception() is not None:
                await stage.serinus("release", NAME, f"nginx={image}", *STEPS)
            await assert_ends_right(stage, image)
    report = await result
    print(f"{number} releases, {done_count} kills of the server, {report.planned_count} requests")
    assert report.failed_count == 0, report.examples


def _kill_server(cluster: LocalCluster) -> None:
    identity = daemons.running(cluster.folder.identity(SERVER))
    assert identity is not None
    os.kill(identity.pid, signal.SIGKILL)


@pytest.mark.timeout(300)
async def test_a_killed_server_costs_no_request_and_no_acknowledged_write(
    local_cluster_stage: tuple[Stage, LocalCluster],
) -> None:
    stage, cluster = local_cluster_stage
    await server_kills(stage, cluster, kill_count=2)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
async def test_thirty_kills_of_the_server_cost_no_request_and_no_acknowledged_write(
    local_cluster_stage: tuple[Stage, LocalCluster],
) -> None:
    stage, cluster = local_cluster_stage
    await server_kills(stage, cluster, kill_count=30)


@pytest.mark.timeout(300)
async def test_a_second_terminal_takes_over_from_a_killed_driver(make_stage: OpenStage) -> None:
    async with make_stage() as stage:
        await stage.kubectl("apply", "-f", STABLE)
        await stage.serving(NAME, 3)
        await stage.answering()
        async with under_load(stage.url, rate=RATE, kinds=(ConnectionKind.NEW,)) as result:
            first = await asyncio.create_subprocess_exec(
                *stage.command("serinus", "release", NAME, "nginx=nginx:1.8.0", "--wait"),
                *("--steps", "25,pause"),
                env=stage.environment,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            await stage.until(lambda: _phase_is(stage, "Paused"), "the release waits for a person")
            # The living driver answers a second terminal.
            answered = await stage.serinus("pause", NAME)
            assert "accepted by the driver" in answered.stderr
            os.killpg(first.pid, signal.SIGKILL)
            await first.wait()
            # The second terminal takes over and dies, too; a third one ends it.
            await Killer(stage, SEED).killed("promote", NAME)
            # Refused where the second one got far enough for the adoption to be irrevocable.
            await stage.try_("serinus", "promote", NAME)
            await stage.serinus("release", NAME, "nginx=nginx:1.8.0", "--steps", "25,pause")
            await assert_ends_right(stage, "nginx:1.8.0")
        report = await result
        assert report.failed_count == 0, report.examples


async def _phase_is(stage: Stage, phase: str) -> bool:
    found = await stage.try_("serinus", "status", NAME)
    return found.stdout.startswith(f"{NAME}  {phase}")
