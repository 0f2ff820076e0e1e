"""Events are news, not state: they go after an hour (`--event-ttl` of kube-apiserver)."""

from __future__ import annotations

import asyncio
import contextlib

from serinus import errors
from serinus.kubernetes_model import kinds, timestamps
from serinus.local_cluster.server.live_cluster import LiveCluster

EVENT_LIFE_MS = 3_600_000
_EVERY_S = 60.0


def remove_old_events(live: LiveCluster) -> int:
    """Delete the events that were last seen more than an hour ago; return how many."""
    limit = live.clock.now_ms() - EVENT_LIFE_MS
    count = 0
    for event in live.cluster.list(kinds.EVENTS).items:
        metadata = event["metadata"]
        seen = event.get("lastTimestamp") or metadata["creationTimestamp"]
        if timestamps.parse(seen) >= limit:
            continue
        with contextlib.suppress(errors.ClusterError):
            _delete(live, metadata["namespace"], metadata["name"])
            count += 1
    return count


async def expire_events(live: LiveCluster) -> None:
    """Delete old events once a minute."""
    while True:
        await asyncio.sleep(_EVERY_S)
        remove_old_events(live)


def _delete(live: LiveCluster, namespace: str, name: str) -> None:
    now = live.clock.now_ms()
    live.write(lambda: live.cluster.delete(kinds.EVENTS, name, namespace, now=now))
