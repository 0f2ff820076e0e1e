"""`serinus wait`: look at the record until the release is where somebody wants it."""

from __future__ import annotations

import asyncio
import contextlib
import math

from serinus.api.text import format_weight, parse_duration
from serinus.cli import skew
from serinus.cli.options import ClusterOptions
from serinus.cli.release_verbs import targets
from serinus.cli.release_verbs.commands import plain_name, summary
from serinus.cli.report import Lines
from serinus.cli.session import open_cluster
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.kubernetes.presence import Driver, driver
from serinus.controller.observe import observe
from serinus.controller.ports import Stored
from serinus.errors import ClusterError, InvalidInput, RefusedError
from serinus.process import SystemClock
from serinus.release.decision import Reason
from serinus.release.model import Phase, Status
from serinus.release.stages.reaching import Reach, reach, trouble

RECHECK_MS = 3_000
"""Leases are not watched: a driver that comes or goes is noticed after this time."""


async def wait(name: str, goal: Phase, options: ClusterOptions, limit: str | None) -> int:
    """Return 0 once the release is there.

    Raises:
        RefusedError: it will not get there by itself, or the time is over.
    """
    name = plain_name(name)
    try:
        limit_ms = None if limit is None else parse_duration(limit)
    except ValueError as error:
        raise InvalidInput("--timeout", [str(error)]) from error
    async with open_cluster(options) as cluster:
        watch = _Watch(cluster, name, goal, Lines(name))
        try:
            async with asyncio.timeout(None if limit_ms is None else limit_ms / 1000):
                return await watch.run()
        except TimeoutError as error:
            raise RefusedError(
                "Timeout", f"not {goal.value} within {limit}. {watch.where or 'Nothing was seen'}"
            ) from error


class _Watch:
    def __init__(self, cluster: KubernetesCluster, name: str, goal: Phase, lines: Lines) -> None:
        self._cluster, self._name, self._goal, self._lines = cluster, name, goal, lines
        self.where = ""
        """Where the release stands, in a sentence."""
        self._drives = Driver("")
        self._asked_at_s = -math.inf

    async def run(self) -> int:
        """Look at each change until the release is there."""
        if await self._load() is None:
            await targets.deployment(self._cluster, self._name)
            raise RefusedError(
                "NoRelease",
                f"there is no release of {self._name}; serinus release {self._name} ... begins one",
            )
        while True:
            count = self._cluster.changes.count
            stored = await self._load()
            if stored is None:
                raise RefusedError("Left", f"{self._name} was let go: there is no release any more")
            if await self._look(stored):
                return 0
            await self._cluster.changes.wait(RECHECK_MS, since_count=count)

    async def _load(self) -> Stored | None:
        try:
            return await self._cluster.load(self._name)
        except InvalidInput as error:
            # What was typed is right; it is the record that nobody can go on with.
            raise RefusedError("Invalid", f"the record cannot be read: {error}") from error

    async def _look(self, stored: Stored) -> bool:
        release, goal = stored.release, self._goal
        drives = await self._driver(at_rest=release.status.phase.at_rest)
        seen = observe(release, await self._cluster.read(release.spec)).observation
        found = reach(seen, release.outlook, goal, generation=release.generation)
        if found is Reach.THERE:
            self._lines.say(summary(self._name, release.status))
            return True
        if found is Reach.OUT_OF_REACH:
            raise RefusedError(
                "OutOfReach",
                f"not {goal.value}, and it will not be by itself. "
                f"{summary(self._name, release.status)}",
            )
        hurdle = trouble(release.outlook)
        # What keeps it from going on comes before what it would wait for.
        self.where = standing(release.status) if hurdle is None else hurdle.message
        if drives.words.startswith("no driver"):
            self.where += f"; {drives.words}"
        self._lines.say(self.where)
        return False

    async def _driver(self, *, at_rest: bool) -> Driver:
        """Return who drives; while the API server does not answer, who drove when it last did."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._asked_at_s >= RECHECK_MS / 1000:
            with contextlib.suppress(ClusterError):
                now = SystemClock().now_ms()
                self._drives = await driver(self._cluster, self._name, now, at_rest=at_rest)
                skew.warn(self._drives)
            self._asked_at_s = now_s
        return self._drives


def standing(status: Status) -> str:
    """Return where a release is on its way."""
    waiting = status.waiting
    for_person = waiting is not None and waiting.reason == Reason.WAITING_FOR_PERSON.value
    if status.phase is Phase.PAUSED and for_person:
        return f"Paused at {format_weight(status.weight_bp)} %: waits for a person"
    if waiting is not None:
        return f"{status.phase.value}: {waiting.message}"
    return f"{status.phase.value}: {status.message}" if status.message else status.phase.value
