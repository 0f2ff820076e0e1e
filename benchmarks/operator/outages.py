"""Rows about an operator that is killed: who acts again, and when."""

from __future__ import annotations

import asyncio
import time

from benchmarks.operator.figures import Samples
from benchmarks.operator.shop import NAME, QUARTER, Shop, image
from serinus.kube import kinds

STATUS_WAITS_S = 3
"""How long `kubectl rollout status` is given to be wrong."""


async def restart(shop: Shop, run_count: int, found: Samples) -> None:
    """Kill the only replica, start it again, and change the template meanwhile."""
    operator = await shop.bench.start("serinus-0")
    try:
        await shop.release(*QUARTER)
        for _ in range(run_count):
            await shop.at_rest()
            before, mark, began_s = shop.number, shop.mark, time.time()
            operator.kill()
            await operator.ended()
            operator = await shop.bench.start("serinus-0")
            await shop.change()
            found["restart"].append((await shop.canary_pod(mark)).at_s - began_s)
            await shop.change(before)
    finally:
        await operator.stop()


async def standby(shop: Shop, run_count: int, found: Samples) -> None:
    """Kill the leader of two replicas, and start it again once the other leads."""
    replicas = {pod: await shop.bench.start(pod) for pod in ("serinus-0", "serinus-1")}
    try:
        await shop.release(*QUARTER)
        for _ in range(run_count):
            await shop.at_rest()
            # A standby counts from when it first saw the Lease.
            await asyncio.sleep(3)
            leader = await _leader(shop)
            before, mark, began_s = shop.number, shop.mark, time.time()
            replicas[leader].kill()
            await shop.change()
            found["standby"].append((await shop.canary_pod(mark)).at_s - began_s)
            await replicas[leader].ended()
            replicas[leader] = await shop.bench.start(leader)
            await shop.change(before)
    finally:
        for operator in replicas.values():
            await operator.stop()


async def _leader(shop: Shop) -> str:
    lease = await shop.bench.stage.object("lease", "serinus-controller", "-n", "serinus-system")
    return str(lease["spec"]["holderIdentity"])


async def dead(shop: Shop, run_count: int, found: Samples) -> None:
    """Change the template while nobody drives: it waits, and says so to who asks."""
    operator = await shop.bench.start("serinus-0")
    try:
        await shop.release(*QUARTER)
        for _ in range(run_count):
            await shop.at_rest()
            operator.kill()
            await operator.ended()
            before, mark = shop.number, shop.mark
            await shop.change()
            status = await shop.bench.stage.try_(
                *("kubectl", "rollout", "status", f"deployment/{NAME}"),
                f"--timeout={STATUS_WAITS_S}s",
            )
            pods = [image(pod) for pod in shop.journal.all(kinds.PODS)]
            found["dead-waits"].append(status.code == 0)
            found["dead-out"].append(pods.count(shop.image))
            began_s = time.time()
            operator = await shop.bench.start("serinus-0")
            found["dead-on"].append((await shop.canary_pod(mark)).at_s - began_s)
            await shop.change(before)
    finally:
        await operator.stop()
