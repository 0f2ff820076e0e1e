"""Services of the real control plane are kube-proxy's own where it is asked for and can run."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable

import pytest

from tests.end_to_end.stage import NODE_PORT, STABLE, Stage, measure

OpenStage = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]


def rules() -> str:
    command = ["nft", "list", "ruleset"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def test_a_node_port_and_a_cluster_ip_lead_to_every_pod_by_its_rules(
    proxied: None, make_stage: OpenStage
) -> None:
    async with make_stage() as stage:
        await stage.kubectl("apply", "-f", STABLE)
        await stage.serving("nginx-deployment", 3)
        await stage.answering()
        spec = (await stage.object("service", "nginx-service"))["spec"]
        for url in (stage.url, f"http://{spec['clusterIP']}/"):
            report = await measure(url, request_count=200)
            assert report.failed_count == 0, report.examples
        found = rules()
        assert f"tcp . {NODE_PORT} : goto external-" in found
        assert "numgen random mod 3" in found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", [20_000, pytest.param(100_000, marks=pytest.mark.slow)])
async def test_while_nothing_moves_no_new_connection_is_lost(
    proxied: None, make_stage: OpenStage, count: int
) -> None:
    async with make_stage() as stage:
        await stage.kubectl("apply", "-f", STABLE)
        await stage.serving("nginx-deployment", 3)
        await stage.answering()
        report = await measure(stage.url, request_count=count)
        print(f"{report.failed_count} of {report.planned_count} new connections failed")
        assert report.valid, report.warnings
        assert report.failed_count == 0, report.examples


async def test_its_rules_are_gone_with_it(proxied: None, make_stage: OpenStage) -> None:
    async with make_stage():
        assert "table ip kube-proxy" in rules()
    assert "kube-proxy" not in rules()
