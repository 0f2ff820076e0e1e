"""Rows about one release: how soon, with how many pods, at the cost of how many requests."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from benchmarks.operator.figures import Samples
from benchmarks.operator.gateway import counting
from benchmarks.operator.shop import NAME, NAMESPACE, POD_COUNT, QUARTER, Shop, last_answer_s
from serinus.kube import kinds
from serinus.release.model import CommandVerb

WAITS: tuple[dict[str, Any], ...] = ({"setWeight": 25}, {"pause": {"duration": "5s"}})
REST_S = 30
"""How long nothing happens while requests are counted."""


async def canary(shop: Shop, run_count: int, found: Samples) -> None:
    """Change the template and set it back."""
    async with shop.bench.operating():
        await shop.release(*QUARTER)
        await shop.at_rest()
        for _ in range(run_count):
            before, mark = shop.number, shop.mark
            began_s = await shop.change()
            found["canary"].append((await shop.canary_pod(mark)).at_s - began_s)
            await shop.change(before)
            await shop.at_rest()


async def adopt(shop: Shop, run_count: int, found: Samples) -> None:
    """Play the smallest release to its end, by adoption."""
    async with shop.bench.operating():
        for _ in range(run_count):
            await _whole(shop, found, "adopt", method="Adopt")


async def rolling(shop: Shop, run_count: int, found: Samples) -> None:
    """Play it to its end by a rolling update."""
    async with shop.bench.operating():
        for _ in range(run_count):
            await _whole(shop, found, "rolling", method="RollingUpdate")


async def _whole(shop: Shop, found: Samples, name: str, *, method: str) -> None:
    await shop.release(*WAITS, promotion={"method": method})
    await shop.at_rest()
    async with shop.load() as reports:
        mark = shop.mark
        began_s = await shop.change()
        healthy = await _promoted(shop, mark)
        await shop.at_rest()
    found[f"{name}-healthy"].append(healthy - began_s)
    found[f"{name}-new"].append(last_answer_s(reports[0], shop.version) - began_s)
    found[f"{name}-failed"].append(reports[0].failed_count)
    started, most = _pods_since(shop, mark)
    if name == "adopt":
        found["adopt-started"].append(started)
    found[f"{name}-most"].append(most)


async def _promoted(shop: Shop, mark: int) -> float:
    """Wait until a release has begun and is Healthy again; return when it was."""
    await shop.phase("Progressing", since=mark)
    begun = next(
        number
        for number, entry in enumerate(shop.journal.entries[mark:], mark)
        if (entry.object.get("status") or {}).get("phase") == "Progressing"
    )
    return (await shop.phase("Healthy", since=begun)).at_s


def _pods_since(shop: Shop, mark: int) -> tuple[int, int]:
    """Return how many pods were started, and how many stood at most that were not to stop."""
    started, most, standing = 0, POD_COUNT, POD_COUNT
    leaving: set[str] = set()
    for entry in shop.journal.entries[mark:]:
        if entry.kind != kinds.PODS:
            continue
        goes = entry.event == "DELETED" or "deletionTimestamp" in entry.object["metadata"]
        if entry.event == "ADDED":
            started, standing = started + 1, standing + 1
        elif goes and entry.name not in leaving:
            leaving.add(entry.name)
            standing -= 1
        most = max(most, standing)
    return started, most


async def writes(shop: Shop, run_count: int, found: Samples) -> None:
    """Count every request of the operator in the smallest release, and while nothing happens."""
    kubeconfig = shop.bench.folder / "gateway.kubeconfig"
    async with (
        counting(shop.bench.connection, kubeconfig) as gateway,
        shop.bench.operating(kubeconfig=kubeconfig),
    ):
        await shop.release(*WAITS)
        await shop.at_rest()
        await asyncio.sleep(2)
        for _ in range(run_count):
            gateway.asked.clear()
            mark = shop.mark
            await shop.change()
            await _promoted(shop, mark)
            await shop.at_rest()
            # What is only shown is written a moment later.
            await asyncio.sleep(1)
            found["writes"].append(sum(a.is_write for a in gateway.asked))
            found["writes-status"].append(sum(a.is_status for a in gateway.asked))
            found["writes-reads"].append(sum(a.is_read for a in gateway.asked))
        gateway.asked.clear()
        await asyncio.sleep(REST_S)
        idle = [a for a in gateway.asked if (a.is_read or a.is_write)]
        found["writes-idle"].append(len(idle))


async def promote_25(shop: Shop, run_count: int, found: Samples) -> None:
    """Promote from 25 %, where two pods are still to be started."""
    await _promote(shop, run_count, found, 25)


async def promote_50(shop: Shop, run_count: int, found: Samples) -> None:
    """Promote from 50 %, where the canary has all its pods."""
    await _promote(shop, run_count, found, 50)


async def _promote(shop: Shop, run_count: int, found: Samples, percent: int) -> None:
    async with shop.bench.operating():
        await shop.release({"setWeight": percent}, {"pause": {}})
        for _ in range(run_count):
            await _paused(shop)
            async with shop.load() as reports:
                await asyncio.sleep(0.5)
                mark = shop.mark
                began_s = await shop.command(CommandVerb.PROMOTE)
                first_s = await _first_write(shop, mark)
                await shop.phase("Healthy", since=mark)
                await shop.at_rest()
            found[f"promote-{percent}-first"].append(1000 * (first_s - began_s))
            found[f"promote-{percent}-new"].append(
                last_answer_s(reports[0], shop.version) - began_s
            )
            found[f"promote-{percent}-failed"].append(reports[0].failed_count)


async def abort_25(shop: Shop, run_count: int, found: Samples) -> None:
    """Abort at 25 %, where stable is whole."""
    await _abort(shop, run_count, found, 25, mode="Surge")


async def abort_50(shop: Shop, run_count: int, found: Samples) -> None:
    """Abort at 50 %, where stable is whole."""
    await _abort(shop, run_count, found, 50, mode="Surge")


async def abort_75(shop: Shop, run_count: int, found: Samples) -> None:
    """Abort at 75 % in Constant mode, where stable has few pods."""
    await _abort(shop, run_count, found, 75, mode="Constant")


async def _abort(shop: Shop, run_count: int, found: Samples, percent: int, *, mode: str) -> None:
    async with shop.bench.operating():
        router = {"replicaRatio": {"mode": mode, "allowCoarse": True}}
        await shop.release({"setWeight": percent}, {"pause": {}}, router=router)
        for _ in range(run_count):
            stable = shop.number
            await _paused(shop)
            await shop.journal.until("the canary serves", shop.canary_serves)
            mark = shop.mark
            began_s = await shop.command(CommandVerb.ABORT)
            first_s = await _first_write(shop, mark)
            out_s = await shop.journal.until("it serves no more", lambda: not shop.canary_serves())
            found[f"abort-{percent}-first"].append(1000 * (first_s - began_s))
            found[f"abort-{percent}-out"].append(out_s - began_s)
            await shop.phase("Aborted", since=mark)
            await shop.change(stable)
            await shop.at_rest()


async def _paused(shop: Shop) -> None:
    """Begin a release and wait for its pause."""
    await shop.at_rest()
    mark = shop.mark
    await shop.change()
    await shop.phase("Paused", since=mark)
    # What is only shown is written a moment later, and is no answer to a command.
    await asyncio.sleep(0.5)


async def _first_write(shop: Shop, mark: int) -> float:
    """Return when the first change by the operator was seen after a command."""

    def answered(status: dict[str, Any]) -> str:
        return str((status.get("lastCommand") or {}).get("id", ""))

    before = answered(shop.status)
    entry = await shop.journal.first(
        "the command is answered",
        lambda e: (
            e.kind == kinds.CANARY_RELEASES and answered(e.object.get("status") or {}) != before
        ),
        since=mark,
    )
    return entry.at_s


async def hold(shop: Shop, run_count: int, found: Samples) -> None:
    """Take a running Deployment over and let it go again."""
    async with shop.bench.operating():
        await asyncio.sleep(2)
        for _ in range(run_count):
            before = {p["metadata"]["uid"] for p in shop.journal.all(kinds.PODS)}
            async with shop.load() as reports:
                await asyncio.sleep(0.5)
                began_s = await shop.release(*QUARTER)
                held_s = await shop.journal.until("it is held", lambda: shop.is_held)
                found["hold-take"].append(held_s - began_s)
                await shop.at_rest()
                await asyncio.sleep(0.5)
                taken = {p["metadata"]["uid"] for p in shop.journal.all(kinds.PODS)}
                found["hold-take-replaced"].append(len(before - taken))
                found["hold-leave"].append(await _left(shop))
                await asyncio.sleep(0.5)
            left = {p["metadata"]["uid"] for p in shop.journal.all(kinds.PODS)}
            found["hold-leave-replaced"].append(len(before - left))
            found["hold-failed"].append(reports[0].failed_count)


async def _left(shop: Shop) -> float:
    """Delete the release; return how long it stayed."""
    mark, began_s = shop.mark, time.time()
    await shop.client.delete(kinds.CANARY_RELEASES, NAME, NAMESPACE)
    gone = await shop.journal.first(
        "the release is gone",
        lambda e: e.kind == kinds.CANARY_RELEASES and e.event == "DELETED",
        since=mark,
    )
    return gone.at_s - began_s
