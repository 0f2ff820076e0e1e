"""Take a release to where a verb wants it: by driving it, or by watching the operator drive."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeAlias

from serinus.cli import skew
from serinus.cli.report import Lines
from serinus.controller import run
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.reconcile import Round
from serinus.process import SystemClock

Until: TypeAlias = Callable[[Round], bool]
Go: TypeAlias = Callable[[Until], Awaitable[Round]]
"""Go on until a round fits, and return it."""


@contextlib.asynccontextmanager
async def steering(
    cluster: KubernetesCluster, name: str, lines: Lines, *, keep: bool = True
) -> AsyncIterator[Go]:
    """Hold the Lease of a release for as long as the block runs, unless an operator drives.

    Without `keep` the Lease is deleted at the end.

    Raises:
        NotDriving: another command line drives it.
    """
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        try:
            await run.refuse_operated(cluster, name, clock)
            lease = await stack.enter_async_context(run.driving(cluster, name, clock, keep=keep))
        except run.Operated as operated:
            skew.warn(operated.by)
            lines.say(str(operated))
            go = partial(run.follow, cluster, name, clock=clock, on_round=lines.round)
        else:
            go = partial(
                run.drive,
                cluster,
                name,
                lease=lease,
                clock=clock,
                on_round=lines.round,
                on_trouble=lines.trouble,
            )
        yield lambda until: go(until=until)
