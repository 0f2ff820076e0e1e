"""Rows about many releases: what they cost at rest, and how soon each is served when all change."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
import urllib.error
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

from benchmarks.operator import running_pods
from benchmarks.operator.bench import Bench, Operator
from benchmarks.operator.figures import Samples
from benchmarks.operator.journal import Journal, following
from serinus.kube import kinds
from serinus.kube.client import Manifest
from serinus.kube.requests import PatchType

NAMESPACE = "herd"
REST_S = 60
_HAND_COUNT = 16
"""How many requests of ours are on their way at a time."""


async def idle(bench: Bench, found: Samples) -> None:
    """Keep 1,000 releases with a running pod each at rest for a minute."""
    async with _served(bench, 1_000) as (_, operator):
        found["idle-cpu"].append(await _cpu_at_rest(operator))
        found["idle-memory"].append(operator.memory_mb())


async def many(bench: Bench, found: Samples, count: int) -> None:
    """Keep 10,000 releases without pods at rest for a minute."""
    # The operator meets them as they are made, one by one, beside our own client.
    async with _following(bench) as journal, bench.operating() as operator:
        await _populate(bench, journal, count, replica_count=0)
        await _all_healthy(bench, journal, operator, count)
        found["many-cpu"].append(await _cpu_at_rest(operator))
        found["many-memory"].append(operator.memory_mb())


async def hundred(bench: Bench, found: Samples) -> None:
    """Change 100 templates among 1,000 at once."""
    async with _served(bench, 1_000) as (journal, _):
        waits = await _change(bench, journal, range(0, 1_000, 10))
    _note(found, "hundred", waits)


async def thousand(bench: Bench, found: Samples) -> None:
    """Change 1,000 templates at once."""
    async with _served(bench, 1_000) as (journal, _):
        waits = await _change(bench, journal, range(1_000))
    _note(found, "thousand", waits)


def _note(found: Samples, name: str, waits: list[float]) -> None:
    found[f"{name}-p50"].append(statistics.median(waits))
    found[f"{name}-p99"].append(sorted(waits)[round(0.99 * (len(waits) - 1))])


@contextlib.asynccontextmanager
async def _following(bench: Bench) -> AsyncIterator[Journal]:
    await bench.client.create(kinds.NAMESPACES, {"metadata": {"name": NAMESPACE}})
    followed = (kinds.CANARY_RELEASES, kinds.DEPLOYMENTS, kinds.PODS)
    async with following(bench.client, NAMESPACE, followed) as journal:
        yield journal


@contextlib.asynccontextmanager
async def _served(bench: Bench, count: int) -> AsyncIterator[tuple[Journal, Operator]]:
    """Make releases of Deployments with one pod each, and wait until all are at rest."""
    async with (
        _following(bench) as journal,
        running_pods.running(bench.client, NAMESPACE),
    ):
        await _populate(bench, journal, count, replica_count=1)
        async with bench.operating() as operator:
            await _all_healthy(bench, journal, operator, count)
            yield journal, operator


async def _populate(bench: Bench, journal: Journal, count: int, *, replica_count: int) -> None:
    """Make Deployments, their Services and their releases."""

    async def make(number: int) -> None:
        for kind, body in _objects(_name(number), replica_count):
            await bench.client.create(kind, body, NAMESPACE)

    await _by_many_hands(make, range(count))

    def is_complete(deployment: Manifest) -> bool:
        status = deployment.get("status") or {}
        is_seen = status.get("observedGeneration", 0) > 0
        return bool(is_seen and status.get("availableReplicas", 0) == replica_count)

    await journal.until_each(
        "all Deployments are complete", kinds.DEPLOYMENTS, count, is_complete, limit_s=300
    )


async def _all_healthy(bench: Bench, journal: Journal, operator: Operator, count: int) -> None:
    """Wait until every release is at rest and nothing is due any more."""
    await journal.until_each(
        "all releases are Healthy", kinds.CANARY_RELEASES, count, _is_healthy, limit_s=600
    )

    async def is_quiet() -> bool:
        # One that was started a moment ago does not listen yet.
        with contextlib.suppress(urllib.error.URLError):
            return await operator.metric("serinus_queue_length") == 0
        return False

    await bench.stage.until(is_quiet, "nothing is due")
    # What is only shown is written a moment later.
    await asyncio.sleep(3)


def _is_healthy(release: Manifest) -> bool:
    return bool((release.get("status") or {}).get("phase") == "Healthy")


async def _cpu_at_rest(operator: Operator) -> float:
    before_s = operator.cpu_s()
    await asyncio.sleep(REST_S)
    return operator.cpu_s() - before_s


async def _change(bench: Bench, journal: Journal, numbers: Iterable[int]) -> list[float]:
    """Write another image into some templates; return after how long each had a new pod.

    All count from the first write: they are meant at once, and our own client takes its time too.
    """
    names = [_name(number) for number in numbers]
    awaited = set(names)
    mark, began_s = len(journal.entries), time.time()

    async def change(name: str) -> None:
        body = {"spec": {"template": {"spec": {"containers": [_container("nginx:2.0.0")]}}}}
        await bench.client.patch(
            kinds.DEPLOYMENTS, name, NAMESPACE, body, patch_type=PatchType.STRATEGIC
        )

    await _by_many_hands(change, names)
    waits: dict[str, float] = {}

    def all_there() -> bool:
        nonlocal mark
        for entry in journal.entries[mark:]:
            if entry.kind == kinds.PODS and entry.event == "ADDED":
                app = entry.object["metadata"]["labels"]["app"]
                waits.setdefault(app, entry.at_s - began_s)
        mark = len(journal.entries)
        return waits.keys() >= awaited

    await journal.until("each has a new pod", all_there, limit_s=180)
    return [waits[name] for name in names]


async def _by_many_hands(work: Callable[[Any], Awaitable[None]], each: Iterable[Any]) -> None:
    left = iter(each)

    async def hand() -> None:
        for one in left:
            await work(one)

    await asyncio.gather(*(hand() for _ in range(_HAND_COUNT)))


def _name(number: int) -> str:
    return f"shop-{number:05d}"


def _container(image: str) -> dict[str, Any]:
    return {"name": "web", "image": image}


def _objects(name: str, replica_count: int) -> list[tuple[kinds.Kind, dict[str, Any]]]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [_container("nginx:1.0.0")]}}
    deployment = {
        "replicas": replica_count,
        "selector": {"matchLabels": labels},
        "template": template,
    }
    release = {
        "targetRef": {"name": name},
        "service": {"name": name},
        "steps": [{"setWeight": 50}, {"pause": {}}],
    }
    service = {"selector": labels, "ports": [{"port": 80}]}
    return [
        (
            kind,
            {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                "metadata": {"name": name},
                "spec": spec,
            },
        )
        for kind, spec in (
            (kinds.DEPLOYMENTS, deployment),
            (kinds.SERVICES, service),
            (kinds.CANARY_RELEASES, release),
        )
    ]
