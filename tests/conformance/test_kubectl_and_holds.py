"""What the commands of people do to a held Deployment, and to a Service that was changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from serinus.kube.config import Connection
from tests.conformance.cluster import Cluster, needs
from tests.conformance.kubectl import Kubectl
from tests.conformance.manifests import CANARY_IMAGE, STABLE_IMAGE, deployment, service
from tests.conformance.workloads import (
    canary,
    complete,
    hand_over,
    hold,
    observed,
    owner_of,
    pods,
    running,
    set_image,
    set_of,
    sizes,
    uids,
)

pytestmark = needs("kubectl")


@pytest.fixture
def kubectl(connection: Connection | None, cluster: Cluster, tmp_path: Path) -> Kubectl:
    assert connection is not None
    return Kubectl(connection, cluster.namespace, tmp_path)


async def is_held(cluster: Cluster) -> None:
    shop = await observed(cluster, "shop")
    assert shop["spec"]["paused"] is True
    assert await sizes(cluster) == {STABLE_IMAGE: 3}


async def test_the_hold_survives_kubectl_apply(cluster: Cluster, kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "FILE", given=deployment())
    await complete(cluster)
    await hold(cluster)
    await kubectl("apply", "-f", "FILE", given=deployment(image=CANARY_IMAGE))
    await is_held(cluster)
    unchanged = await kubectl("apply", "-f", "FILE", given=deployment(image=CANARY_IMAGE))
    assert "unchanged" in unchanged


async def test_the_hold_survives_a_forced_server_side_kubectl_apply(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    await kubectl("apply", "-f", "FILE", given=deployment())
    await complete(cluster)
    await hold(cluster)
    changed = deployment(image=CANARY_IMAGE)
    options = ("--server-side", "--force-conflicts")
    await kubectl("apply", *options, "-f", "FILE", given=changed)
    await is_held(cluster)


async def test_the_hold_survives_kubectl_set_image(cluster: Cluster, kubectl: Kubectl) -> None:
    await running(cluster)
    await hold(cluster)
    await kubectl("set", "image", "deployment/shop", f"web={CANARY_IMAGE}")
    await is_held(cluster)


async def test_kubectl_replace_drops_the_hold_and_rolls_out(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    await running(cluster)
    await hold(cluster)
    await kubectl("replace", "-f", "FILE", given=deployment(image=CANARY_IMAGE))
    await complete(cluster)
    assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}


async def test_kubectl_refuses_to_restart_or_undo_while_held(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    await running(cluster)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await complete(cluster)
    await hold(cluster)
    restart = await kubectl.run("rollout", "restart", "deployment/shop")
    assert restart.code != 0
    assert "can't restart paused deployment (run rollout resume first)" in restart.output
    undo = await kubectl.run("rollout", "undo", "deployment/shop")
    assert undo.code != 0
    assert "resume" in undo.output


async def test_rollout_status_waits_for_the_adoption_and_then_says_success(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    await running(cluster)
    await hold(cluster)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await observed(cluster, "shop")
    once = await kubectl.run("rollout", "status", "deployment/shop", "--watch=false")
    assert "0 out of 3 new replicas have been updated" in once.output
    waiting = asyncio.create_task(kubectl.run("rollout", "status", "deployment/shop"))
    await canary(cluster)
    assert not waiting.done()
    await hand_over(cluster)
    await complete(cluster)
    done = await asyncio.wait_for(waiting, 20)
    assert done.code == 0, done.output
    assert 'deployment "shop" successfully rolled out' in done.output
    history = await kubectl("rollout", "history", "deployment/shop")
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]


async def test_cascade_orphan_leaves_set_and_pods(cluster: Cluster, kubectl: Kubectl) -> None:
    await running(cluster)
    before = uids(await pods(cluster))
    await kubectl("delete", "deployment", "shop", "--cascade=orphan")

    async def left() -> None:
        found = await set_of(cluster, STABLE_IMAGE)
        assert owner_of(found) is None
        assert uids(await pods(cluster)) == before

    await cluster.eventually(left)


async def test_undo_writes_the_annotations_of_the_old_set_onto_the_deployment(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    body = deployment()
    body["metadata"]["annotations"] = {"trial": "1"}
    await cluster.create("deployments", body)
    await complete(cluster)
    metadata = {"metadata": {"annotations": {"trial": None}}}
    await cluster.patch("deployments", "shop", {**metadata, "spec": {"paused": True}})
    await set_image(cluster, "shop", CANARY_IMAGE)
    await cluster.patch("deployments", "shop", {"spec": {"paused": None}})
    shop = await complete(cluster)
    assert "trial" not in shop["metadata"]["annotations"]
    assert (await set_of(cluster, STABLE_IMAGE))["metadata"]["annotations"]["trial"] == "1"
    await kubectl("rollout", "undo", "deployment/shop")
    shop = await complete(cluster)
    assert shop["metadata"]["annotations"]["trial"] == "1"


async def test_a_new_selector_key_stays_beside_the_one_that_an_apply_puts_back(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    await kubectl("apply", "-f", "FILE", given=service())
    body = {"spec": {"selector": {"app": None, "router": "shop"}}}
    await cluster.patch("services", "shop", body)
    await kubectl("apply", "-f", "FILE", given=service())
    found = await cluster.get("services", "shop")
    assert found["spec"]["selector"] == {"app": "shop", "router": "shop"}


async def test_a_changed_value_of_a_selector_key_is_put_back_by_an_apply(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    await kubectl("apply", "-f", "FILE", given=service())
    await cluster.patch("services", "shop", {"spec": {"selector": {"app": "router"}}})
    await kubectl("apply", "-f", "FILE", given=service())
    found = await cluster.get("services", "shop")
    assert found["spec"]["selector"] == {"app": "shop"}
