from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from serinus import errors
from serinus.kube import client as clients
from serinus.kube import objects
from serinus.kube.cache import Backoff, Cache, CacheSetting, Changes
from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.kube.kinds import PODS
from tests.unit.kube.api_server import (
    ApiServer,
    answers,
    failure,
    resets,
    send,
    stays_silent,
    stream,
    streams_error,
)

QUICK = CacheSetting(backoff=Backoff(first_ms=5, ceiling_ms=20), watch_timeout_ms=30_000)


def a_cache(client: Client, setting: CacheSetting = QUICK) -> Cache[dict[str, Any]]:
    return Cache(client, PODS, "shop", setting=setting)


def names(cache: Cache[Any]) -> list[str]:
    return [pod["metadata"]["name"] for pod in cache.items()]


def recorded(cache: Cache[Any]) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    cache.add_listener(lambda event, pod: told.append((event, pod["metadata"]["name"])))
    return told


async def until(cache: Cache[Any], condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await cache.wait_for_change(1_000)


async def test_a_cache_holds_what_is_listed_and_follows_what_is_watched(
    server: ApiServer, client: Client
) -> None:
    server.put("pods", "shop", "a")
    server.put("pods", "other", "z")
    async with a_cache(client) as cache:
        told = recorded(cache)
        await cache.synced(5_000)
        assert names(cache) == ["a"]
        server.put("pods", "shop", "b")
        server.put("pods", "shop", "a", status={"phase": "Running"})
        server.put("pods", "shop", "c")
        server.remove("pods", "shop", "b")
        await until(cache, lambda: cache.resource_version == str(server.version))
        assert names(cache) == ["a", "c"]
        assert cache.get("a") == {
            "apiVersion": "v1",
            "kind": "Pod",
            "status": {"phase": "Running"},
            "metadata": server.objects["pods", "shop", "a"]["metadata"],
        }
        assert cache.get("b") is None
        # Versions stay in order, whatever was told between the list and the watch.
        assert told[-4:] == [("ADDED", "b"), ("MODIFIED", "a"), ("ADDED", "c"), ("DELETED", "b")]


async def test_a_packed_cache_shows_the_same_and_lends_nothing_out(
    server: ApiServer, client: Client
) -> None:
    server.put("pods", "shop", "a", spec={"nodeName": None, "containers": [{"ports": [80]}]})
    setting = msgspec.structs.replace(QUICK, packed=True)
    async with a_cache(client) as plain, a_cache(client, setting) as packed:
        labels = packed.add_index(lambda pod: [pod["kind"]])
        told = recorded(packed)
        for cache in (plain, packed):
            await cache.synced(5_000)
        server.put("pods", "shop", "b", status={"phase": "Running"})
        for cache in (plain, packed):
            await until(cache, lambda: len(names(cache)) == 2)  # noqa: B023 - called at once
        assert packed.items() == plain.items() == labels.get("shop", "Pod")
        assert told[-1] == ("ADDED", "b")
        found = packed.get("a")
        assert found is not None
        found["spec"].clear()
        assert packed.get("a") == plain.get("a")


async def test_a_cache_over_all_namespaces_tells_equal_names_apart(
    server: ApiServer, client: Client
) -> None:
    server.put("pods", "one", "a")
    server.put("pods", "two", "a")
    async with Cache(client, PODS, setting=QUICK) as cache:
        await cache.synced(5_000)
        assert cache.get("a", "one") is not None
        assert cache.get("a", "one") != cache.get("a", "two")
        assert len(cache.items()) == 2


@pytest.mark.parametrize(
    "fault",
    [
        streams_error(410, "Expired"),
        streams_error(410, "Gone"),
        streams_error(500, "InternalError"),
        streams_error(429, "TooManyRequests"),
        answers(lambda: failure(410, "Expired", "too old")),
        answers(lambda: failure(500, "InternalError", "etcdserver: leader changed")),
        answers(lambda: failure(403, "Forbidden", "pods is forbidden")),
        answers(lambda: failure(401, "Unauthorized", "Unauthorized")),
        resets,
    ],
    ids=[
        "stream-410-expired",
        "stream-410-gone",
        "stream-500",
        "stream-429",
        "http-410",
        "http-500",
        "http-403",
        "http-401",
        "reset",
    ],
)
async def test_a_cache_survives_what_breaks_a_watch(
    fault: Any, server: ApiServer, client: Client
) -> None:
    server.put("pods", "shop", "a")
    server.next_watches.extend([fault, fault, fault])
    async with a_cache(client) as cache:
        await cache.synced(5_000)
        await server.until(lambda: server.open_watches == 1)
        server.put("pods", "shop", "b")
        await until(cache, lambda: names(cache) == ["a", "b"])
        assert cache.stale_since_ms is None
        assert cache.last_error is not None


async def test_a_deletion_while_the_watch_is_down_is_told_after_the_new_list(
    server: ApiServer, client: Client
) -> None:
    server.put("pods", "shop", "a")
    server.put("pods", "shop", "b")

    async def breaks_while_the_world_moves(request: Any) -> Any:
        server.remove("pods", "shop", "a")
        server.compact()
        return await resets(request)

    server.next_watches.append(breaks_while_the_world_moves)
    async with a_cache(client) as cache:
        told = recorded(cache)
        await until(cache, lambda: names(cache) == ["b"])
        assert ("DELETED", "a") in told
        assert ("DELETED", "b") not in told


async def test_an_object_of_the_same_name_and_another_uid_is_told_as_deleted_and_added(
    server: ApiServer, client: Client
) -> None:
    server.put("pods", "shop", "a", metadata={"uid": "first"})

    async def breaks_while_the_world_moves(request: Any) -> Any:
        server.remove("pods", "shop", "a")
        server.put("pods", "shop", "a", metadata={"uid": "second"})
        server.compact()
        return await resets(request)

    server.next_watches.append(breaks_while_the_world_moves)
    async with a_cache(client) as cache:
        told: list[tuple[str, str]] = []
        cache.add_listener(lambda event, pod: told.append((event, pod["metadata"]["uid"])))
        await until(cache, lambda: ("ADDED", "second") in told)
        assert told[-2:] == [("DELETED", "first"), ("ADDED", "second")]


async def test_a_half_open_connection_is_given_up(
    server: ApiServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_WATCH_GRACE_MS", 100)
    release = asyncio.Event()
    server.next_watches.append(stays_silent(release))
    setting = CacheSetting(backoff=Backoff(first_ms=5, ceiling_ms=20), watch_timeout_ms=200)
    async with a_cache(client, setting=setting) as cache:
        await cache.synced(5_000)
        server.put("pods", "shop", "a")
        await until(cache, lambda: names(cache) == ["a"])
        assert isinstance(cache.last_error, errors.Unavailable)
        assert "in time" in str(cache.last_error)
    release.set()


async def test_a_server_that_ends_each_watch_at_once_is_not_asked_in_a_busy_loop(
    server: ApiServer, client: Client
) -> None:
    times = list[float]()

    async def ends(request: Any) -> Any:
        times.append(asyncio.get_running_loop().time())
        return await stream(request)

    server.next_watches.extend([ends] * 4)
    setting = CacheSetting(backoff=Backoff(first_ms=40, ceiling_ms=10_000))
    async with a_cache(client, setting):
        await server.until(lambda: len(times) == 4)
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    # Each is at least the lower half of 40, 80, 160 ms.
    assert [p > least for p, least in zip(pauses, (0.02, 0.04, 0.08), strict=True)] == [True] * 3


async def test_staleness_begins_with_the_first_failure_and_ends_with_a_watch(
    server: ApiServer, client: Client
) -> None:
    class Fixed:
        now = 1_000

        def now_ms(self) -> int:
            return self.now

    clock = Fixed()
    gate = asyncio.Event()

    async def breaks_late(request: Any) -> Any:
        response = await stream(request)
        await gate.wait()
        await send(response, "ERROR", {"code": 500, "reason": "InternalError", "message": "x"})
        return response

    release = asyncio.Event()

    async def refuses_until_released(_: Any) -> Any:
        await release.wait()
        return failure(503, "ServiceUnavailable", "starting")

    server.next_watches.extend([breaks_late, refuses_until_released])
    async with a_cache(client, msgspec.structs.replace(QUICK, clock=clock)) as cache:
        assert cache.stale_since_ms == 1_000
        await cache.synced(5_000)
        await until(cache, lambda: cache.stale_since_ms is None)
        clock.now = 7_000
        gate.set()
        await until(cache, lambda: cache.stale_since_ms == 7_000)
        clock.now = 9_000
        release.set()
        await until(cache, lambda: cache.stale_since_ms is None)


async def test_bookmarks_move_the_version_though_their_object_is_hollow(
    server: ApiServer, client: Client
) -> None:
    async def bookmarks(request: Any) -> Any:
        response = await stream(request)
        # As kube-apiserver sends it for pods: containers are null there.
        hollow = {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": "4711"},
            "spec": {"containers": None},
            "status": {},
        }
        await send(response, "BOOKMARK", hollow)
        return response

    server.next_watches.append(bookmarks)
    decode = objects.decoder(objects.Pod)
    async with Cache(client, PODS, "shop", decode=decode, setting=QUICK) as cache:
        await server.until(lambda: sum(r.query.get("watch") == "true" for r in server.requests) > 1)
        assert cache.resource_version == "4711"
        watches = [r.query["resourceVersion"] for r in server.requests if "watch" in r.query]
        assert watches[1] == "4711"
        assert server.requests[-1].query["allowWatchBookmarks"] == "true"


async def test_a_cache_of_structs_keeps_only_what_is_read(
    server: ApiServer, client: Client
) -> None:
    server.put(
        "pods", "shop", "a", status={"phase": "Running", "podIP": "10.0.0.1", "qosClass": "x"}
    )
    decode = objects.decoder(objects.Pod)
    async with Cache(client, PODS, "shop", decode=decode, setting=QUICK) as cache:
        await cache.synced(5_000)
        pod = cache.get("a")
        assert pod is not None
        assert (pod.status.phase, pod.status.pod_ip) == ("Running", "10.0.0.1")


async def test_a_refusal_that_will_stay_ends_the_wait_for_the_first_list(
    server: ApiServer, client: Client
) -> None:
    server.next_answers.extend([answers(lambda: failure(403, "Forbidden", "pods is forbidden"))])
    async with a_cache(client) as cache:
        with pytest.raises(errors.Forbidden, match="pods is forbidden"):
            await cache.synced()
        # It goes on all the same, and works once the right is given.
        await until(cache, lambda: cache.is_synced)


async def test_the_wait_for_the_first_list_ends_in_time_and_names_the_cause() -> None:
    connection = Connection(server="http://127.0.0.1:1")
    async with Client(connection) as client, a_cache(client) as cache:
        with pytest.raises(errors.Unavailable, match="Connection refused") as caught:
            await cache.synced(200)
        assert isinstance(caught.value.__cause__, errors.Unavailable)


async def test_an_object_that_does_not_fit_is_named(server: ApiServer, client: Client) -> None:
    server.put("pods", "shop", "odd", status={"phase": 7})
    decode = objects.decoder(objects.Pod)
    async with Cache(client, PODS, "shop", decode=decode, setting=QUICK) as cache:
        with pytest.raises(errors.Invalid, match=r"'shop/odd'.*status\.phase"):
            await cache.synced()


async def test_a_defect_in_a_listener_surfaces_where_somebody_waits(
    server: ApiServer, client: Client
) -> None:
    cache = a_cache(client)
    cache.add_listener(lambda _, pod: pod["no such key"])
    async with cache:
        await cache.synced(5_000)
        server.put("pods", "shop", "a")
        with pytest.raises(KeyError):
            await until(cache, lambda: False)


async def test_close_ends_the_task_and_keeps_what_was_held(
    server: ApiServer, client: Client
) -> None:
    server.put("pods", "shop", "a")
    cache = a_cache(client)
    cache.start()
    cache.start()
    await cache.synced(5_000)
    await cache.close()
    await cache.close()
    assert names(cache) == ["a"]
    await server.until(lambda: server.open_watches == 0)
    assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("cache of")]


async def test_one_consumer_waits_on_several_caches_and_misses_no_change(
    server: ApiServer, client: Client
) -> None:
    changes = Changes()
    shared = msgspec.structs.replace(QUICK, changes=changes)
    async with (
        Cache(client, PODS, "one", setting=shared) as one,
        Cache(client, PODS, "two", setting=shared) as two,
    ):
        await one.synced(5_000)
        await two.synced(5_000)
        seen = changes.count
        server.put("pods", "two", "a")
        await until(two, lambda: two.get("a") is not None)
        assert await changes.wait(0, since_count=seen)
        assert not await changes.wait(10)


@pytest.mark.parametrize("failure_count", [1, 2, 5, 1_000_000])
def test_pauses_double_up_to_the_ceiling_and_are_never_below_their_half(
    failure_count: int,
) -> None:
    backoff = Backoff(first_ms=250, ceiling_ms=30_000)
    whole = min(30_000, 250 * 2 ** min(failure_count - 1, 20))
    for number in range(50):
        pause = backoff.pause_ms(failure_count, random.Random(number))
        assert whole // 2 <= pause <= whole
