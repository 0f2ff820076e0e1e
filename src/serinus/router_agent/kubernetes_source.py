"""A plan as an object, the EndpointSlices of its Services, and a part of its status that is ours.

The agent follows both by itself, so pods are followed while the controller is away. While the API
server is away, what is known stays in force.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Self

from serinus.api import traffic_plan
from serinus.errors import InvalidInput
from serinus.kube import objects
from serinus.kube.cache import Cache, CacheSetting, Changes
from serinus.kube.client import Client, Manifest
from serinus.kube.kinds import ENDPOINT_SLICES, TRAFFIC_PLANS
from serinus.router_agent.report import Report
from serinus.router_agent.slices import endpoints_of
from serinus.router_agent.source import Wanted

_MANAGER = "serinus-router"


class KubernetesSource:
    """Follow one TrafficPlan; `async with` starts and ends it.

    Args:
        router: this router's own name: its field manager, and its entry in the status.
    """

    def __init__(self, client: Client, namespace: str, name: str, *, router: str) -> None:
        self._client = client
        self._namespace, self._name, self._router = namespace, name, router
        self._changes = Changes()
        self._seen_count = 0
        self._plans: Cache[Manifest] = Cache(
            client,
            TRAFFIC_PLANS,
            namespace,
            field_selector=f"metadata.name={name}",
            setting=CacheSetting(changes=self._changes),
        )
        self._slices: Cache[objects.EndpointSlice] | None = None
        self._services: frozenset[str] = frozenset()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Wait for a plan that can be read, and for the endpoints of its Services.

        Raises:
            ClusterError: the API server refuses.
        """
        await self._stack.enter_async_context(self._plans)
        await self._plans.synced()
        while True:
            count = self._changes.count
            try:
                found = self._found()
            except InvalidInput:
                await self._changes.wait(since_count=count)
                continue
            break
        self._services = frozenset(found.services.values())
        if self._services:
            names = ",".join(sorted(self._services))
            self._slices = Cache(
                self._client,
                ENDPOINT_SLICES,
                self._namespace,
                label_selector=f"{objects.SERVICE_NAME_LABEL} in ({names})",
                decode=objects.decoder(objects.EndpointSlice),
                setting=CacheSetting(changes=self._changes),
            )
            await self._stack.enter_async_context(self._slices)
            await self._slices.synced()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def newest(self) -> Wanted:
        """Return the plan as the API server last told it."""
        self._seen_count = self._changes.count
        found = self._found()
        if frozenset(found.services.values()) != self._services:
            raise InvalidInput(
                self._what, ["spec: other Services need other routers; start them beside these"]
            )
        slices = [] if self._slices is None else self._slices.items()
        behind = endpoints_of(slices, found.services, found.plan.ports)
        return Wanted(found.plan, {**found.endpoints, **behind}, found.generation)

    async def changed(self, timeout_ms: int) -> bool:
        """Wait for the API server to tell something new."""
        return await self._changes.wait(timeout_ms, since_count=self._seen_count)

    async def publish(self, report: Report) -> None:
        """Apply our own entry of the status, which nobody else owns."""
        await self._apply([report.to_json()])

    async def withdraw(self) -> None:
        """Take our entry out of the status."""
        await self._apply([])

    @property
    def _what(self) -> str:
        return f"TrafficPlan {self._namespace}/{self._name}"

    def _found(self) -> traffic_plan.Found:
        plan = self._plans.get(self._name)
        if plan is None:
            raise InvalidInput(self._what, ["is not there"])
        return traffic_plan.decode(plan, source=self._what)

    async def _apply(self, routers: list[object]) -> None:
        await self._client.apply(
            TRAFFIC_PLANS,
            {
                "metadata": {"name": self._name},
                "status": {"routers": routers},
            },
            self._namespace,
            subresource="status",
            field_manager=f"{_MANAGER}-{self._router}",
        )
