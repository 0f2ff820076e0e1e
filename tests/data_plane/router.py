"""A router for the tests: the agent as the process that it is, over a plan in a file."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import psutil

from serinus.process import spawn, stop
from tests.data_plane.pods import free_port
from tests.data_plane.waiting import until

SPLIT = {"weight": 0, "salt": "default/shop/7", "identity": [{"header": "x-user"}]}


def a_plan(port: int, stable: list[str], canary: list[str], **spec: Any) -> dict[str, Any]:
    """Return a plan with one port, `http`; users are known by the header x-user."""
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "TrafficPlan",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {
            "ports": [{"name": "http", "listen": port}],
            "stable": {"endpoints": {"http": stable}},
            "canary": {"endpoints": {"http": canary}},
            "split": {**SPLIT, **spec.pop("split", {})},
            **spec,
        },
    }


class Router:
    """A running router, and its plan."""

    def __init__(self, folder: Path, plan: dict[str, Any], process: asyncio.subprocess.Process):
        self.folder = folder
        self.plan = plan
        self.process = process
        self.generation = 1
        self.port: int = plan["spec"]["ports"][0]["listen"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def envoy(self) -> psutil.Process:
        children = psutil.Process(self.process.pid).children(recursive=True)
        return next(child for child in children if child.name() == "envoy")

    def report(self) -> dict[str, Any]:
        try:
            return cast("dict[str, Any]", json.loads((self.folder / "report.json").read_bytes()))
        except FileNotFoundError:
            return {}

    async def split(self, **parts: Any) -> None:
        """Change parts of the split, and wait until that is in force."""
        await self.set(split={**self.plan["spec"]["split"], **parts})

    def write(self, **spec: Any) -> None:
        """Change parts of the plan, without waiting for what becomes of it."""
        self.plan = copy.deepcopy(self.plan)
        self.plan["spec"].update(spec)
        self.generation += 1
        self.plan["metadata"]["generation"] = self.generation
        self.write_text(json.dumps(self.plan))

    def write_text(self, text: str) -> None:
        new = self.folder / "plan.new"
        new.write_text(text)
        new.replace(self.folder / "plan.yaml")

    async def set(self, **spec: Any) -> None:
        """Change parts of the plan, and wait until that is in force."""
        self.write(**spec)
        await self.in_force()

    async def in_force(self) -> None:
        def is_so() -> bool:
            report = self.report()
            return report.get("inForceGeneration") == self.generation and report["ready"]

        await until(is_so, f"generation {self.generation} is in force: {self.report()}")

    async def stats(self, pattern: str) -> dict[str, Any]:
        from serinus.router_agent.admin import Admin

        async with Admin(self.folder / "envoy" / "admin.sock") as admin:
            return await admin.stats(pattern)

    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextlib.asynccontextmanager
async def routing(plan: dict[str, Any], *arguments: str) -> AsyncIterator[Router]:
    """Run a router for the block."""
    # A socket's path has at most 108 characters: pytest's own folders are too deep.
    with tempfile.TemporaryDirectory(prefix="router-") as name:
        folder = Path(name)
        plan = {**plan, "metadata": {**plan["metadata"], "generation": 1}}
        (folder / "plan.yaml").write_text(json.dumps(plan))
        command = [
            *a_command(folder),
            *("--plan", str(folder / "plan.yaml"), "--report", str(folder / "report.json")),
            *arguments,
        ]
        with (folder / "log").open("wb") as log:
            process = await spawn(command, stderr=log, die_with_parent=True)
        router = Router(folder, plan, process)
        try:
            await until(
                lambda: bool(router.report()) or process.returncode is not None,
                "the router tells what is in force",
            )
            assert process.returncode is None, router.log()
            yield router
        finally:
            await stop(process, grace_ms=10_000)


def a_command(folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "serinus.router_agent"),
        *("--folder", str(folder / "envoy"), "--listen", "127.0.0.1"),
        *("--concurrency", "1", "--drain-ms", "0", "--name", "router-1"),
    ]


def a_port() -> int:
    return free_port()
