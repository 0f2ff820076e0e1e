"""A stage with an operator: the kind is installed, and `serinus controller` is a process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from serinus.process import spawn, stop
from tests.control_plane.bench import ControlPlane
from tests.end_to_end.stage import STABLE, Stage

NAME, SERVICE = "nginx-deployment", "nginx-service"
LEASE_NAMESPACE = "serinus-system"


ON_EVERY_CLUSTER = (
    "test_a_template_set_by_kubectl_is_tried_and_adopted",
    "test_a_killed_operator_costs_no_request_and_goes_on",
    "test_a_release_of_the_command_line_is_taken_over",
)
"""The others are proofs on the local cluster, and run each time on a real control plane."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        is_local = item.name.endswith("[local]") and item.path.is_relative_to(here)
        if is_local and not item.name.startswith(ON_EVERY_CLUSTER):
            item.add_marker(pytest.mark.slow)


class Operator:
    """The processes of an operator's replicas, and the CanaryRelease that they drive."""

    def __init__(self, stage: Stage, folder: Path, plane: ControlPlane | None = None) -> None:
        self.stage = stage
        self.plane = plane
        self._folder = folder
        self._replicas: dict[str, asyncio.subprocess.Process] = {}
        self._logs: list[Any] = []

    async def start(self, pod: str = "serinus-0") -> None:
        """Start a replica; one of the same name is a container that was started again."""
        log = (self._folder / f"{pod}.log").open("ab")
        self._logs.append(log)
        # On a real control plane each has a name of its own in the audit log.
        user = () if self.plane is None else ("--context", pod)
        self._replicas[pod] = await spawn(
            [
                *(sys.executable, "-m", "serinus", "controller", "--host", "127.0.0.1"),
                *("--port", "0", "--lease-namespace", LEASE_NAMESPACE, "-v", *user),
            ],
            env={**self.stage.environment, "POD_NAME": pod},
            stdout=log,
            stderr=log,
            die_with_parent=True,
        )

    async def kill(self, pod: str = "serinus-0") -> None:
        """End a replica as the kernel does when it is out of memory."""
        process = self._replicas.pop(pod)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()

    def lead_count(self, pod: str) -> int:
        """Return how often a replica has begun to lead."""
        return (self._folder / f"{pod}.log").read_text().count('"event": "leads"')

    @contextlib.contextmanager
    def suspended(self, pod: str) -> Iterator[None]:
        """Stop a replica where it stands for the block, as a machine that hangs does."""
        process = self._replicas[pod]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    async def close(self) -> None:
        for process in self._replicas.values():
            await stop(process, grace_ms=5_000)
        for log in self._logs:
            log.close()

    async def apply(self, steps: list[dict[str, Any]], **spec: Any) -> None:
        """Apply the CanaryRelease of the classic Deployment."""
        body = {
            "apiVersion": "serinus.dev/v1alpha1",
            "kind": "CanaryRelease",
            "metadata": {"name": NAME},
            "spec": {
                "targetRef": {"name": NAME},
                "service": {"name": SERVICE},
                "steps": steps,
                **spec,
            },
        }
        await self.apply_object(body)

    async def apply_object(self, body: dict[str, Any]) -> None:
        path = self._folder / f"{body['metadata']['name']}.json"
        path.write_text(json.dumps(body))
        await self.stage.kubectl("apply", "-f", path)

    async def set_image(self, image: str) -> None:
        await self.stage.kubectl("set", "image", f"deployment/{NAME}", f"nginx={image}")

    async def found(self) -> dict[str, Any]:
        return await self.stage.object("canaryrelease", NAME)

    async def until_phase(self, phase: str, *, revision_of: str | None = None) -> None:
        """Wait for a phase; with `revision_of` also until every pod runs that image."""

        async def reached() -> bool:
            status = (await self.found()).get("status") or {}
            if status.get("phase") != phase:
                return False
            return revision_of is None or await self.images() == {revision_of}

        await self.stage.until(reached, f"{phase} {revision_of or ''}")

    async def images(self) -> set[str]:
        return {c["image"] for p in await self.stage.pods() for c in p["spec"]["containers"]}


OpenOperator = Callable[..., contextlib.AbstractAsyncContextManager[Operator]]


@pytest.fixture
def make_operator(
    make_stage: Callable[..., contextlib.AbstractAsyncContextManager[Stage]],
    stage_kind: str,
    plane: ControlPlane | None,
    tmp_path: Path,
) -> OpenOperator:
    """Return what opens a stage with the classic Deployment and an operator that leads."""

    @contextlib.asynccontextmanager
    async def opened(*, delay_ms: int = 0, hold: str | None = None) -> AsyncIterator[Operator]:
        folder = Path(tempfile.mkdtemp(prefix="operator-", dir=tmp_path))
        chosen = hold or ("policy" if stage_kind == "kubernetes" else "field")
        async with make_stage(delay_ms=delay_ms) as stage:
            operator = Operator(stage, folder, plane)
            try:
                await stage.serinus("install", "--cli-only", "--hold", chosen)
                await stage.try_("kubectl", "create", "namespace", LEASE_NAMESPACE)
                await stage.kubectl("apply", "-f", STABLE)
                await stage.serving(NAME, 3)
                await stage.answering()
                await operator.start()
                yield operator
            finally:
                await stage.try_("kubectl", "delete", "crel", "--all", "--timeout=20s")
                await operator.close()
                await stage.try_("serinus", "uninstall")

    return opened
