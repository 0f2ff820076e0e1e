"""Services of the real control plane are kube-proxy's own where it is asked for and can run."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable

import pytest

from tests.control_plane import kube_proxy
from tests.control_plane.bench import ControlPlane
from tests.end_to_end.stage import NODE_PORT, STABLE, Stage, measure

OpenStage = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]


@pytest.fixture
def proxied(plane: ControlPlane | None, request: pytest.FixtureRequest) -> None:
    """Skip where Services are our own balancer's."""
    if plane is None or request.config.getoption("--service-proxy") != "kube-proxy":
        pytest.skip("the Services are our own balancer's: PROXY=kube-proxy")
    if reason := kube_proxy.missing(plane.binaries):
        pytest.skip(f"NO KUBE-PROXY: {reason}")


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


async def test_its_rules_are_gone_with_it(proxied: None, make_stage: OpenStage) -> None:
    async with make_stage():
        assert "table ip kube-proxy" in rules()
    assert "kube-proxy" not in rules()
