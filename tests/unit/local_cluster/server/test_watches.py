from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from serinus.kubernetes_model import kinds
from serinus.local_cluster.server.process import Server
from serinus.local_cluster.server.verbs import watches
from tests.unit.local_cluster.server.https_bench import (
    CONFIG_MAPS,
    Caller,
    config_map,
    serving,
    until,
)

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[tuple[Server, Caller]]:
    async with serving(tmp_path / "state") as running:
        yield running


@pytest.fixture
def call(bench: tuple[Server, Caller]) -> Caller:
    return bench[1]


async def test_a_watch_from_a_version_tells_all_that_followed(call: Caller) -> None:
    first = await call.make("a")
    await call.make("b")
    version = first["metadata"]["resourceVersion"]
    async with call.watch(f"{CONFIG_MAPS}?resourceVersion={version}") as events:
        assert await events.names(1) == [("ADDED", "b")]
        await call.send("DELETE", f"{CONFIG_MAPS}/a")
        await call.make("c")
        assert await events.names(2) == [("DELETED", "a"), ("ADDED", "c")]


@pytest.mark.parametrize("start", ["", "resourceVersion=0"])
async def test_a_watch_without_a_version_begins_with_the_present(call: Caller, start: str) -> None:
    await call.make("a")
    async with call.watch(f"{CONFIG_MAPS}?{start}") as events:
        assert await events.names(1) == [("ADDED", "a")]


async def test_initial_events_end_with_a_bookmark_that_says_so(call: Caller) -> None:
    await call.make("a")
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with call.watch(f"{CONFIG_MAPS}?{query}") as events:
        assert await events.names(1) == [("ADDED", "a")]
        type_, bookmark = await events.next()
        assert type_ == "BOOKMARK"
        assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        listed = await call.get(CONFIG_MAPS)
        assert bookmark["metadata"]["resourceVersion"] == listed["metadata"]["resourceVersion"]
    status, document = await call.send("GET", f"{CONFIG_MAPS}?watch=1&sendInitialEvents=true")
    assert (status, document["reason"]) == (422, "Invalid")


async def test_after_a_restart_an_old_version_is_expired(tmp_path: Path) -> None:
    async with serving(tmp_path / "state") as (_, call):
        first = await call.make("a")
        await call.make("b")
    async with serving(tmp_path / "state") as (_, call):
        version = first["metadata"]["resourceVersion"]
        async with call.watch(f"{CONFIG_MAPS}?resourceVersion={version}") as events:
            type_, status = await events.next()
            assert (type_, status["kind"], status["code"]) == ("ERROR", "Status", 410)
            assert status["reason"] == "Expired"
            assert await events.at_end()


async def test_objects_come_and_go_as_they_match_a_selector(call: Caller) -> None:
    query = "labelSelector=track%3Dcanary&resourceVersion=0"
    async with call.watch(f"{CONFIG_MAPS}?{query}") as events:
        await call.send("POST", CONFIG_MAPS, config_map("other"))
        await call.send("POST", CONFIG_MAPS, config_map("a", labels={"track": "canary"}))
        await call.send("PUT", f"{CONFIG_MAPS}/a", config_map("a", labels={"track": "stable"}))
        await call.send("PUT", f"{CONFIG_MAPS}/other", config_map("other", {"track": "canary"}))
        await call.send(
            "PUT", f"{CONFIG_MAPS}/other", config_map("other", {"track": "canary"}, x="1")
        )
        await call.send("DELETE", f"{CONFIG_MAPS}/other")
        assert await events.names(5) == [
            ("ADDED", "a"),
            ("DELETED", "a"),
            ("ADDED", "other"),
            ("MODIFIED", "other"),
            ("DELETED", "other"),
        ]


async def test_an_object_leaves_a_selection_as_it_was_in_it(call: Caller) -> None:
    await call.send("POST", CONFIG_MAPS, config_map("a", labels={"track": "canary"}))
    query = "labelSelector=track%3Dcanary&resourceVersion=0"
    async with call.watch(f"{CONFIG_MAPS}?{query}") as events:
        assert await events.names(1) == [("ADDED", "a")]
        _, changed = await call.send("PUT", f"{CONFIG_MAPS}/a", config_map("a"))
        type_, item = await events.next()
        assert (type_, item["metadata"]["labels"]) == ("DELETED", {"track": "canary"})
        version = changed["metadata"]["resourceVersion"]
        assert item["metadata"]["resourceVersion"] == version


async def test_one_object_can_be_watched_by_its_name(call: Caller) -> None:
    async with call.watch(f"{CONFIG_MAPS}/b?resourceVersion=0") as events:
        await call.make("a")
        await call.make("b")
        assert await events.names(1) == [("ADDED", "b")]


async def test_a_namespace_hears_only_of_itself(call: Caller) -> None:
    async with call.watch("/api/v1/namespaces/kube-system/configmaps") as events:
        await call.make("a")
        status, _ = await call.send(
            "POST", "/api/v1/namespaces/kube-system/configmaps", config_map("mine")
        )
        assert status == 201
        assert await events.names(1) == [("ADDED", "mine")]


async def test_a_write_that_changes_nothing_tells_nobody(call: Caller) -> None:
    await call.make("a", x="1")
    async with call.watch(f"{CONFIG_MAPS}?resourceVersion=0") as events:
        assert await events.names(1) == [("ADDED", "a")]
        await call.send("PUT", f"{CONFIG_MAPS}/a", config_map("a", x="1"))
        await call.send("PUT", f"{CONFIG_MAPS}/a", config_map("a", x="2"))
        type_, item = await events.next()
        assert (type_, item["data"]) == ("MODIFIED", {"x": "2"})


async def test_the_time_limit_ends_a_watch(call: Caller) -> None:
    async with call.watch(f"{CONFIG_MAPS}?timeoutSeconds=1") as events:
        assert await events.at_end()


async def test_bookmarks_tell_how_far_the_world_is(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "BOOKMARK_EVERY_S", 0.05)
    made = await call.make("a")
    path = "/api/v1/secrets?allowWatchBookmarks=true&resourceVersion=0"
    async with call.watch(path) as events:
        type_, bookmark = await events.next()
        assert type_ == "BOOKMARK"
        assert bookmark["kind"] == "Secret"
        seen = int(bookmark["metadata"]["resourceVersion"])
        assert seen >= int(made["metadata"]["resourceVersion"])


async def test_a_table_watch_names_its_columns_once(call: Caller) -> None:
    async with call.watch(f"{CONFIG_MAPS}?resourceVersion=0", Accept=TABLE) as events:
        await call.make("a", x="1")
        await call.make("b")
        _, first = await events.next()
        _, second = await events.next()
        assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
        assert second["columnDefinitions"] == []
        assert [t["rows"][0]["cells"][0] for t in (first, second)] == ["a", "b"]


async def test_fifty_watchers_all_see_every_event_in_order(call: Caller) -> None:
    count = 40

    async def follow(started: asyncio.Semaphore) -> list[str]:
        async with call.watch(CONFIG_MAPS) as events:
            started.release()
            return [name for _, name in await events.names(count)]

    started = asyncio.Semaphore(0)
    following = [asyncio.create_task(follow(started)) for _ in range(50)]
    for _ in following:
        await started.acquire()
    expected = [f"item-{index:03}" for index in range(count)]
    for name in expected:
        await call.make(name)
    assert all(seen == expected for seen in await asyncio.gather(*following))


async def test_a_stopping_server_ends_its_watches(bench: tuple[Server, Caller]) -> None:
    server, call = bench
    async with call.watch(f"{CONFIG_MAPS}?resourceVersion=0") as events:
        await server.stop()
        assert await events.at_end()


async def test_a_watcher_that_left_is_forgotten(bench: tuple[Server, Caller]) -> None:
    server, call = bench
    assert server._live is not None
    subscribers = server._live._subscribers.setdefault(kinds.SECRETS.storage_key, set())
    async with call.watch("/api/v1/secrets?resourceVersion=0"):

        async def is_known() -> bool:
            return len(subscribers) == 1

        await until(is_known)

    async def is_forgotten() -> bool:
        return not subscribers

    await until(is_forgotten)
