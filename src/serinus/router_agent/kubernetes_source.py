"""A plan as an object of a cluster, with the EndpointSlices of its Services.

Both are followed by watches of the agent's own, so that pods come and go while nobody else is
there. What is in force goes into the plan's status, under the router's own name.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Self

import msgspec

from serinus import errors
from serinus.api import traffic_plan
from serinus.assignment.intervals import Version
from serinus.kube.cache import Cache, CacheSetting, Changes
from serinus.kube.client import Client
from serinus.kube.kinds import ENDPOINT_SLICES, TRAFFIC_PLANS
from serinus.router_agent.source import Wanted
from serinus.traffic.envoy.in_cluster.slices import SERVICE_NAME_LABEL, endpoints_of
from serinus.traffic.envoy.report import Report, digest

SYNC_TIMEOUT_MS = 20_000
_PAUSE_FIRST_S = 0.1
_PAUSE_MAX_S = 5.0


class KubernetesSource:
    """One plan of a namespace; `async with` follows it, and waits until it is there.

    Args:
        router: this router's own name, the pod's.
        listens: where to listen in place of a port of the plan, if not there.
        say: takes a line for people.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        *,
        router: str,
        listens: Mapping[int, int],
        say: Callable[[str], None],
    ) -> None:
        self._client, self._namespace, self._name = client, namespace, name
        self._router, self._listens, self._say = router, listens, say
        self._changes = Changes()
        self._read: tuple[object, ...] = ()
        self._to_tell: Report | None = None
        self._told = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._stack = contextlib.AsyncExitStack()
        try:
            setting = CacheSetting(changes=self._changes)
            self._plans = await self._stack.enter_async_context(
                Cache(
                    self._client,
                    TRAFFIC_PLANS,
                    self._namespace,
                    field_selector=f"metadata.name={self._name}",
                    setting=setting,
                )
            )
            await self._plans.synced(SYNC_TIMEOUT_MS)
            names = ",".join(await self._services())
            self._slices = await self._stack.enter_async_context(
                Cache(
                    self._client,
                    ENDPOINT_SLICES,
                    self._namespace,
                    label_selector=f"{SERVICE_NAME_LABEL} in ({names})",
                    setting=setting,
                )
            )
            await self._slices.synced(SYNC_TIMEOUT_MS)
            self._telling = asyncio.create_task(self._keep_telling(), name="what is in force")
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._telling
        await self._stack.aclose()

    def newest(self) -> Wanted:
        """Return the newest plan with the pods that are ready by now."""
        self._read = self._mark()
        found = self._found()
        if found is None:
            raise errors.InvalidInput(self._name, ["the plan is gone; the last one stays"])
        decoded = traffic_plan.decode(found, source=f"TrafficPlan {self._name}")
        ports = tuple(
            msgspec.structs.replace(port, listen=self._listens.get(port.listen, port.listen))
            for port in decoded.plan.ports
        )
        plan = msgspec.structs.replace(decoded.plan, ports=ports)
        listed = endpoints_of(self._slices.items(), decoded.services)
        return Wanted(plan, {**decoded.endpoints, **listed}, decoded.generation)

    async def changed(self, timeout_ms: int) -> bool:
        """Wait until the plan or its pods are others than were read; our own reports are none."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_ms / 1000):
                while True:
                    count = self._changes.count
                    if self._mark() != self._read:
                        break
                    await self._changes.wait(since_count=count)
        return self._mark() != self._read

    async def publish(self, report: Report) -> None:
        """Have the report told; while nobody takes it, the newest is kept."""
        self._to_tell = report
        self._told.set()

    async def withdraw(self) -> None:
        """Take our entry out of the status."""
        self._to_tell = None
        await self._apply({})

    def _found(self) -> Any | None:
        return self._plans.get(self._name, self._namespace)

    def _mark(self) -> tuple[object, ...]:
        """Return what is another value when there is something new to read."""
        found = self._found()
        if found is None:
            return ()
        meta, spec = found["metadata"], found.get("spec") or {}
        services = [(spec.get(v.value) or {}).get("service", "") for v in Version]
        by_version = dict(zip(Version, services, strict=True))
        pods = digest(endpoints_of(self._slices.items(), by_version))
        return meta["uid"], meta.get("generation", 0), pods

    async def _services(self) -> list[str]:
        """Return the Services of the plan, once it is there."""
        waits = False
        while True:
            count = self._changes.count
            found = self._found()
            if found is not None:
                decoded = traffic_plan.decode(found, source=f"TrafficPlan {self._name}")
                return sorted(decoded.services.values()) or ["-"]
            if not waits:
                self._say(f"waiting for TrafficPlan {self._namespace}/{self._name}")
                waits = True
            await self._changes.wait(since_count=count)

    async def _keep_telling(self) -> None:
        pause_s = _PAUSE_FIRST_S
        while True:
            await self._told.wait()
            self._told.clear()
            report = self._to_tell
            if report is None:
                continue
            try:
                await self._apply({self._router: report.to_json()})
                pause_s = _PAUSE_FIRST_S
            except errors.ClusterError as error:
                self._say(f"cannot tell what is in force: {error}")
                await asyncio.sleep(pause_s)
                pause_s = min(_PAUSE_MAX_S, 2 * pause_s)
                self._told.set()

    async def _apply(self, routers: Mapping[str, Any]) -> None:
        """Own exactly these entries of the status; the manager's name is the router's own."""
        await self._client.apply(
            TRAFFIC_PLANS,
            {
                "metadata": {"name": self._name, "namespace": self._namespace},
                "status": {"routers": dict(routers)},
            },
            self._namespace,
            field_manager=f"serinus-router-{self._router}"[:128],
            force=True,
            subresource="status",
        )
