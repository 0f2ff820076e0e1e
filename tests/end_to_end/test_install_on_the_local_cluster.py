"""`serinus install` on the local cluster: the operator's own Deployment runs there, as pods."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from tests.end_to_end.stage import EXAMPLES, STABLE, Stage

pytestmark = [pytest.mark.xdist_group("local-cluster"), pytest.mark.timeout(240)]

NAME = "nginx-deployment"
SYSTEM = ("-n", "serinus-system")


async def test_the_installed_operator_drives_a_release_and_leaves_without_a_trace(
    make_stage: Callable[..., contextlib.AbstractAsyncContextManager[Stage]], stage_kind: str
) -> None:
    if stage_kind != "local":
        pytest.skip("pods of a real cluster need an image of serinus")
    async with make_stage() as stage:
        await stage.kubectl("apply", "-f", STABLE)
        await stage.serving(NAME, 3)
        before = (await stage.object("deployment", NAME))["spec"]
        installed = await stage.serinus("install", "--wait")
        assert "the controller is available" in installed.stderr + installed.stdout
        await stage.kubectl("rollout", "status", "deployment/serinus-controller", *SYSTEM)
        pods = (await stage.object("pods", *SYSTEM))["items"]
        restarts = [s["restartCount"] for p in pods for s in p["status"]["containerStatuses"]]
        assert restarts == [0, 0]
        await stage.kubectl("apply", "-f", EXAMPLES / "release.yaml")
        await stage.kubectl("wait", "--for=condition=Ready", f"crel/{NAME}", "--timeout=30s")
        await stage.kubectl("set", "image", f"deployment/{NAME}", "nginx=nginx:1.8.0")
        await stage.kubectl(
            "wait", "--for=jsonpath={.status.phase}=Paused", f"crel/{NAME}", "--timeout=30s"
        )
        await stage.serinus("promote", NAME)
        await stage.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=60s")
        await stage.kubectl("wait", "--for=condition=Ready", f"crel/{NAME}", "--timeout=30s")
        await stage.serinus("uninstall", "--let-go")
        after = (await stage.object("deployment", NAME))["spec"]
        image = after["template"]["spec"]["containers"][0].pop("image")
        before["template"]["spec"]["containers"][0].pop("image")
        assert (image, after) == ("nginx:1.8.0", before)
        assert (await stage.try_("kubectl", "get", "crel")).code == 1
