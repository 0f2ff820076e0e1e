from __future__ import annotations

import math

import msgspec
import pytest

from serinus.load.outcome import ConnectionKind, Outcome
from serinus.load.report import z_score
from tests.unit.load.loading import load
from tests.unit.load.servers import Visit, answer, polite, serving


async def test_the_json_report_is_versioned_and_adds_up() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        if visit.number % 4 == 0:
            visit.reset()
        elif visit.number % 4 == 1:
            await visit.say(answer("canary"))
        else:
            await visit.say(answer("stable"))

    async with serving(handle) as server:
        report = await load(server.url, requests_max=40, connections=1, record=True)
    found = msgspec.json.decode(report.to_json())
    assert (found["apiVersion"], found["kind"]) == ("serinus.dev/v1alpha1", "LoadReport")
    assert set(found["counts"]) == {outcome.value for outcome in Outcome}
    assert found["plannedCount"] == sum(found["counts"].values()) == 40
    assert (found["answeredCount"], found["failedCount"]) == (30, 10)
    assert [(v["version"], v["answeredCount"], v["share"]) for v in found["versions"]] == [
        ("canary", 10, pytest.approx(1 / 3, abs=1e-6)),
        ("stable", 20, pytest.approx(2 / 3, abs=1e-6)),
    ]
    assert [p["connections"] for p in found["populations"]] == ["newConnections"]
    bucketed = sum(sum(b["answered"].values()) + b["failedCount"] for b in found["buckets"])
    assert bucketed == 40
    latency = found["latency"]
    assert 0 < latency["p50Ms"] <= latency["p90Ms"] <= latency["p99Ms"] <= latency["maxMs"]
    assert report.record is not None
    assert len(report.record) == 40
    assert "record" not in found


async def test_rows_tell_version_kind_port_and_times() -> None:
    async with serving(polite("v3")) as server:
        report = await load(server.url, kinds=(ConnectionKind.KEEP_ALIVE,), record=True)
    assert report.record is not None
    rows = list(report.record.rows(version="v3", kind=ConnectionKind.KEEP_ALIVE))
    assert len(rows) == 12
    assert len({row.port for row in rows}) == 3
    start_us = report.started_at * 1000
    for row in rows:
        assert start_us <= row.intended_us <= row.started_us <= row.ended_us
        assert row.ended_us <= start_us + (report.elapsed_ms + 1) * 1000


async def test_versions_without_end_are_folded_into_other() -> None:
    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.say(answer(f"v{visit.number}"))

    async with serving(handle) as server:
        report = await load(server.url, requests_max=100)
    assert report.answered_by("other") == 36
    assert len(report.versions) == 65


def test_z_is_the_distance_in_standard_deviations() -> None:
    assert z_score(25, 100, 0.25) == 0
    assert z_score(2_630, 10_000, 0.25) == pytest.approx(3.0, abs=0.01)
    assert z_score(2_370, 10_000, 0.25) == pytest.approx(-3.0, abs=0.01)


def test_z_without_variance_is_all_or_nothing() -> None:
    assert z_score(0, 0, 0.25) == 0
    assert z_score(100, 100, 1.0) == 0
    assert z_score(0, 100, 0.0) == 0
    assert z_score(1, 100, 0.0) == math.inf
    assert z_score(99, 100, 1.0) == -math.inf
