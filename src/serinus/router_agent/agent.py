"""The agent's one loop: the newest plan and endpoints, applied, and what is in force, told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from serinus.assignment.intervals import Version
from serinus.clock import Clock
from serinus.errors import ClusterError, DataPlaneError, InvalidInput, RefusedError
from serinus.router_agent import program
from serinus.router_agent.admin import Admin
from serinus.router_agent.applying import Applier
from serinus.router_agent.source import PlanSource, Wanted
from serinus.router_agent.supervisor import Settings, Supervisor
from serinus.traffic.envoy.bootstrap import ADMIN_SOCKET, bootstrap
from serinus.traffic.envoy.files import ConfigFile, files
from serinus.traffic.envoy.plan import RouterPlan, weight_in_force_bp
from serinus.traffic.envoy.report import Report, digest, endpoint_count

_LOOK_AGAIN_MS = 1_000


class AgentSettings(msgspec.Struct, frozen=True):
    """How one router is run."""

    name: str
    folder: Path
    listen_host: str = "0.0.0.0"  # noqa: S104 - a router serves its pod's own address
    envoy: Path | None = None
    concurrency: int = 1
    drain_ms: int = 5_000


class Agent:
    """One router: its plan, its Envoy, and what is in force.

    Args:
        say: takes a line for people; none of them holds anything of a request.
    """

    def __init__(
        self,
        settings: AgentSettings,
        source: PlanSource,
        *,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._source = source
        self._clock = clock
        self._say = say
        self._in_force: Wanted | None = None
        self._seen_generation = 0
        self._problem = ""
        self._is_unfinished = False
        self._version = ""
        self._told: Report | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Follow plans until told to stop.

        Raises:
            InvalidInput: the first plan is none, or Envoy cannot do what it says.
            RefusedError: there is no fitting Envoy, or a port is taken.
            DataPlaneError: Envoy does not start with the first plan.
        """
        settings = self._settings
        envoy = program.find(settings.envoy)
        self._version = await program.check(envoy)
        first = self._source.newest()
        wanted = self._files(first)
        _check_ports(settings.listen_host, first.plan)
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with Admin(settings.folder / ADMIN_SOCKET) as admin:
            applier = Applier(settings.folder, admin)
            supervisor = Supervisor(
                Settings(
                    envoy, self._bootstrap(first.plan), settings.concurrency, settings.drain_ms
                ),
                admin,
                before_start=applier.restore,
                say=self._say,
            )
            try:
                rejected = await applier.begin(wanted, supervisor)
                if rejected is not None:
                    raise DataPlaneError(f"Envoy refuses {rejected.file}: {rejected.words}")
                self._in_force, self._seen_generation = first, first.generation
                await self._follow(applier, supervisor, stop)
            finally:
                await supervisor.stop()
        with contextlib.suppress(ClusterError):
            await self._source.withdraw()

    def _bootstrap(self, plan: RouterPlan) -> Path:
        path = self._settings.folder / "bootstrap.json"
        made = bootstrap(
            plan, listen_host=self._settings.listen_host, folder=str(self._settings.folder)
        )
        path.write_bytes(msgspec.json.encode(made))
        return path

    def _files(self, wanted: Wanted) -> Sequence[ConfigFile]:
        return files(wanted.plan, wanted.endpoints, folder=str(self._settings.folder))

    async def _follow(self, applier: Applier, supervisor: Supervisor, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait(), name="told to stop")
        keeping = asyncio.create_task(supervisor.keep(), name="Envoy's supervisor")
        try:
            while not stop.is_set():
                await self._tell(supervisor)
                waiting = asyncio.create_task(self._news(supervisor), name="news")
                await asyncio.wait(
                    [waiting, stopping, keeping], return_when=asyncio.FIRST_COMPLETED
                )
                if keeping.done():
                    keeping.result()
                if not waiting.done():
                    await _cancelled(waiting)
                elif waiting.result():
                    await self._take_newest(applier, supervisor)
        finally:
            await _cancelled(stopping)
            await _cancelled(keeping)

    async def _news(self, supervisor: Supervisor) -> bool:
        """Wait a while for something to apply, and for an Envoy to apply it to."""
        if not await self._source.changed(_LOOK_AGAIN_MS) and not self._is_unfinished:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_AGAIN_MS / 1000):
                await supervisor.ready.wait()
        return supervisor.ready.is_set()

    async def _take_newest(self, applier: Applier, supervisor: Supervisor) -> None:
        """Bring the newest plan into force; whatever is wrong with it, the last good one stays."""
        before = self._in_force
        assert before is not None
        self._is_unfinished = False
        try:
            newest = self._source.newest()
            self._seen_generation = newest.generation
            _check_listeners(before.plan, newest.plan)
            lowers = _weight_bp(newest) < _weight_bp(before)
            rejected = await applier.apply(self._files(newest), supervisor, lowers=lowers)
        except (InvalidInput, RefusedError) as error:
            self._problem = str(error)
        except DataPlaneError as error:
            self._problem, self._is_unfinished = str(error), True
        else:
            self._problem = (
                "" if rejected is None else f"Envoy refuses {rejected.file}: {rejected.words}"
            )
            if rejected is None:
                self._in_force = newest
        if self._problem:
            self._say(self._problem)

    async def _tell(self, supervisor: Supervisor) -> None:
        """Publish what is in force, if it is news."""
        wanted = self._in_force
        assert wanted is not None
        report = Report(
            router=self._settings.name,
            generation=self._seen_generation,
            in_force_generation=wanted.generation,
            weight_bp=_weight_bp(wanted),
            stable_endpoint_count=endpoint_count(wanted.endpoints, Version.STABLE),
            canary_endpoint_count=endpoint_count(wanted.endpoints, Version.CANARY),
            endpoints=digest(wanted.endpoints),
            ready=supervisor.ready.is_set(),
            restart_count=supervisor.restart_count,
            envoy_version=self._version,
            changed_at_ms=0,
            problem=self._problem,
        )
        if report == self._told:
            return
        dated = msgspec.structs.replace(report, changed_at_ms=self._clock.now_ms())
        try:
            await self._source.publish(dated)
        except ClusterError as error:
            self._say(f"what is in force cannot be told now: {error}")
        else:
            self._told = report


def _weight_bp(wanted: Wanted) -> int:
    return weight_in_force_bp(wanted.plan, wanted.endpoints)


def _check_listeners(before: RouterPlan, after: RouterPlan) -> None:
    """Refuse what only another Envoy could listen to: a changed listener drains its clients."""
    if before.ports != after.ports:
        raise RefusedError(
            "PortsChanged", "other ports need other routers; start them beside these"
        )
    if before.edge.trusted_hop_count != after.edge.trusted_hop_count:
        raise RefusedError(
            "EdgeChanged",
            "another edge.trustedHopCount needs other routers; start them beside these",
        )


def _check_ports(host: str, plan: RouterPlan) -> None:
    """Refuse a port that somebody has: two Envoys would share it without a word."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in plan.ports:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port.listen))
            except OSError as error:
                raise RefusedError(
                    "PortTaken",
                    f"cannot listen on {host}:{port.listen} (port {port.name!r} of the plan):"
                    f" {os.strerror(error.errno or 0)}",
                ) from error


async def _cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
