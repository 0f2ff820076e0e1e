"""Whoever lists and then watches sees what is there, however selectors and labels change."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.kubernetes_model import Cluster, kinds
from serinus.local_cluster.server.durable_log import DurableLog
from serinus.local_cluster.server.live_cluster import LiveCluster
from serinus.local_cluster.server.serving.call import Call
from serinus.local_cluster.server.serving.targets import Target
from serinus.local_cluster.server.tables.render import Tables
from serinus.local_cluster.server.verbs.watches import Watch

NAMES = st.sampled_from("abc")
LABELS = st.fixed_dictionaries({}, optional={"track": st.sampled_from(["canary", "stable"])})
STEP = st.one_of(
    st.tuples(st.just("put"), NAMES, LABELS, st.sampled_from("12")),
    st.tuples(st.just("delete"), NAMES),
)
SELECTOR = st.sampled_from(
    ["", "track", "!track", "track=canary", "track!=canary", "track in (canary,stable)"]
)


class StandingClock:
    def now_ms(self) -> int:
        return 1_800_000_000_000


def _do(live: LiveCluster, step: tuple[Any, ...]) -> None:
    resource, now = kinds.CONFIG_MAPS, live.clock.now_ms()
    present = {i["metadata"]["name"] for i in live.cluster.list(resource, "default").items}
    name = step[1]
    if step[0] == "delete":
        if name in present:
            live.write(lambda: live.cluster.delete(resource, name, "default", now=now))
        return
    body = {"metadata": {"name": name, "labels": step[2]}, "data": {"value": step[3]}}
    if name in present:
        live.write(lambda: live.cluster.replace(resource, name, body, "default", now=now))
    else:
        live.write(lambda: live.cluster.create(resource, body, "default", now=now))


def _listed(live: LiveCluster, selector: str) -> dict[str, Any]:
    page = live.cluster.list(kinds.CONFIG_MAPS, "default", label_selector=selector)
    return {item["metadata"]["name"]: item for item in page.items}


def _watch(live: LiveCluster, selector: str, version: int) -> Watch:
    query = {"labelSelector": selector, "resourceVersion": str(version), "watch": "1"}
    call = Call("GET", (), query, {})
    tables = Tables(lambda _resource: None)
    return Watch(live, tables, call, Target(kinds.CONFIG_MAPS, "default"))


def _apply(seen: dict[str, Any], watch: Watch) -> None:
    """Change what was listed by what the watch has queued, as a client does."""
    for line in b"".join(watch._lines).splitlines():
        event = json.loads(line)
        name = event["object"]["metadata"]["name"]
        if event["type"] == "DELETED":
            assert name in seen, "an object went that was never there"
            del seen[name]
        else:
            assert (name in seen) == (event["type"] == "MODIFIED")
            seen[name] = event["object"]


def _by_name(items: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(item["kind"], item["metadata"]["name"]): item for item in items}


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(STEP, max_size=8),
    missed=st.lists(STEP, max_size=8),
    after=st.lists(STEP, max_size=8),
    selector=SELECTOR,
)
def test_list_and_watch_end_with_what_a_list_shows(
    before: list[Any], missed: list[Any], after: list[Any], selector: str
) -> None:
    ids = itertools.count()
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(new_id=lambda: f"id-{next(ids)}")
        live = LiveCluster(cluster, DurableLog(Path(folder) / "log"), StandingClock())
        namespace = {"metadata": {"name": "default"}}
        now = live.clock.now_ms()
        live.write(lambda: cluster.create(kinds.NAMESPACES, namespace, now=now))
        for step in before:
            _do(live, step)
        seen, version = _listed(live, selector), cluster.resource_version
        for step in missed:
            _do(live, step)
        watch = _watch(live, selector, version)
        watch.start()
        for step in after:
            _do(live, step)
        _apply(seen, watch)
        assert seen == _listed(live, selector)
        everything, last = cluster.snapshot()
        logged, logged_version = live._log.load()
        assert _by_name(logged) == _by_name(everything)
        assert logged_version == last
        live.stop()
