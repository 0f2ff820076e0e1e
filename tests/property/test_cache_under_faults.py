"""Whatever happens to the watch, a cache ends with what the server holds, and has told it all."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.kube.cache import Backoff, Cache, CacheSetting
from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.kube.kinds import PODS
from tests.unit.kube import api_server
from tests.unit.kube.api_server import ApiServer

Step = tuple[str, int, bool]
"""What happens, to which pod, and whether the cache gets time to see it."""
STEPS = st.tuples(
    st.sampled_from(
        [
            *("put", "remove", "replace", "black out"),
            *("compact", "drop", "gone", "error", "reset", "refuse"),
        ]
    ),
    st.integers(0, 3),
    st.booleans(),
)


def take(server: ApiServer, step: Step) -> None:
    """Let the world, or the way to it, take one step."""
    what, number, _ = step
    name = f"p{number}"
    exists = ("pods", "shop", name) in server.objects
    match what:
        case "put":
            server.put("pods", "shop", name, data=server.version)
        case "remove" if exists:
            server.remove("pods", "shop", name)
        case "replace" if exists:
            server.remove("pods", "shop", name)
            server.put("pods", "shop", name)
        case "black out" if exists:
            # It goes while nobody can see it go.
            server.remove("pods", "shop", name)
            server.compact()
            server.drop_watches()
        case "compact":
            server.compact()
        case "drop":
            server.drop_watches()
        case "gone":
            server.next_watches.append(api_server.streams_error(410, "Expired"))
        case "error":
            server.next_watches.append(api_server.streams_error(500, "InternalError"))
        case "reset":
            server.next_watches.append(api_server.resets)
        case "refuse":
            unavailable = api_server.answers(
                lambda: api_server.failure(503, "ServiceUnavailable", "starting")
            )
            server.next_answers.append(unavailable)


class Mirror:
    """What somebody knows who has only listened."""

    def __init__(self) -> None:
        self.pods: dict[str, dict[str, Any]] = {}

    def hear(self, event: str, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        if event == "DELETED":
            assert self.pods.pop(name)["metadata"]["uid"] == pod["metadata"]["uid"]
        elif event == "ADDED":
            assert name not in self.pods
            self.pods[name] = pod
        else:
            assert self.pods[name]["metadata"]["uid"] == pod["metadata"]["uid"]
            self.pods[name] = pod


async def live_through(steps: list[Step], seed: int) -> None:
    setting = CacheSetting(
        backoff=Backoff(first_ms=1, ceiling_ms=4),
        watch_timeout_ms=30_000,
        random=random.Random(seed),
    )
    mirror = Mirror()
    async with api_server.running() as server, Client(Connection(server=server.url)) as client:
        cache = Cache(client, PODS, "shop", setting=setting)
        cache.add_listener(mirror.hear)
        async with cache:
            await cache.synced(10_000)
            for step in steps:
                seen = cache.changes.count
                take(server, step)
                if step[2]:
                    await cache.changes.wait(10, since_count=seen)
            server.next_watches.clear()
            server.next_answers.clear()
            last = server.put("pods", "shop", "last")["metadata"]["resourceVersion"]
            async with asyncio.timeout(10):
                while cache.resource_version != last:
                    await cache.wait_for_change(100)
            expected = {
                name: {"apiVersion": "v1", "kind": "Pod", **pod}
                for (_, _, name), pod in server.objects.items()
            }
            assert {p["metadata"]["name"]: p for p in cache.items()} == expected
            assert mirror.pods == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=25), st.integers(0, 1000))
def test_a_cache_ends_with_what_the_server_holds(steps: list[Step], seed: int) -> None:
    asyncio.run(live_through(steps, seed))
