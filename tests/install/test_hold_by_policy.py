"""The hold by policy on real Kubernetes: however a template is written, it does not roll out."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from serinus.install import policy
from serinus.install.kinds import kind_of
from serinus.install.settings import Settings
from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.kube.kinds import NAMESPACES
from serinus.release import holding
from tests.conformance.cluster import Object
from tests.conformance.kubectl import Kubectl
from tests.conformance.manifests import CANARY_IMAGE, STABLE_IMAGE, deployment
from tests.conformance.over_http import HttpCluster
from tests.conformance.workloads import complete, observed, set_image, sizes, with_image
from tests.control_plane.bench import ControlPlane
from tests.install.commands import admin_of

LABEL = holding.RELEASE_LABEL
OURS = "serinus"
THIRD_IMAGE = "shop:3"
_numbers = itertools.count(1)


@pytest.fixture
def admin(kubernetes: ControlPlane) -> Connection:
    return admin_of(kubernetes)


@pytest_asyncio.fixture
async def cluster(admin: Connection) -> AsyncIterator[HttpCluster]:
    """A namespace with the Deployment `shop`, complete and managed, and the policies in force."""
    namespace, warnings = f"hold-{next(_numbers)}", list[str]()
    async with Client(admin, on_warning=warnings.append) as client:
        await client.create(NAMESPACES, {"metadata": {"name": namespace}})
        cluster = HttpCluster(client, namespace, warnings)
        for manifest in policy.objects(Settings()):
            await client.apply(kind_of(manifest), manifest, field_manager="serinus-install")
        await cluster.create("deployments", deployment())
        await complete(cluster)
        await label(cluster, holding.MANAGED)
        await cluster.eventually(lambda: in_force(cluster))
        try:
            yield cluster
        finally:
            for manifest in reversed(policy.objects(Settings())):
                await client.delete(kind_of(manifest), manifest["metadata"]["name"])
            await cluster.close()


@pytest.fixture
def kubectl(admin: Connection, cluster: HttpCluster, tmp_path: Path) -> Kubectl:
    return Kubectl(admin, cluster.namespace, tmp_path)


async def label(cluster: HttpCluster, value: str | None) -> None:
    """Label the Deployment as the controller does."""
    patch = {"metadata": {"labels": {LABEL: value}}}
    await cluster.patch("deployments", "shop", patch, field_manager=OURS)


async def in_force(cluster: HttpCluster) -> None:
    """Hold that the API server has read the policies; it takes a moment after they were written."""
    patch = with_image(CANARY_IMAGE)
    cluster.warnings.clear()
    found = await cluster.patch("deployments", "shop", patch, type="strategic", dry_run=True)
    assert found["spec"].get("paused") is True
    assert any("held by serinus" in words for words in cluster.warnings)


def image_of(body: Object) -> str:
    return str(body["spec"]["template"]["spec"]["containers"][0]["image"])


async def is_held(cluster: HttpCluster) -> None:
    """Hold that nothing rolls out, also once the Deployment's controller has seen it."""
    shop = await observed(cluster, "shop")
    assert shop["spec"]["paused"] is True
    assert shop["metadata"]["labels"][LABEL] == holding.HELD
    assert await sizes(cluster) == {STABLE_IMAGE: 3}


async def is_at_rest(cluster: HttpCluster) -> None:
    shop = await observed(cluster, "shop")
    assert not shop["spec"].get("paused")
    assert shop["metadata"]["labels"][LABEL] == holding.MANAGED
    assert await sizes(cluster) == {STABLE_IMAGE: 3}


def changed(image: str = CANARY_IMAGE) -> Object:
    """Return a manifest as it stands in a repository: no label of ours, told not to pause."""
    return deployment(image=image, paused=False)


Way = Callable[[Kubectl], Awaitable[str]]
MERGE = '{"spec":{"paused":false,"template":{"spec":{"containers":[{"name":"web","image":"%s"}]}}}}'
REMOVE_AND_SET = (
    f'[{{"op":"remove","path":"/metadata/labels/serinus.dev~1release"}},'
    f'{{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"{CANARY_IMAGE}"}}]'
)
EDITOR = f"sed -i -e 's/{STABLE_IMAGE}/{CANARY_IMAGE}/' -e 's/paused: .*/paused: false/'"
WAYS: dict[str, Way] = {
    "apply": lambda k: k("apply", "-f", "FILE", given=changed()),
    "server-side apply": lambda k: k(
        "apply", "--server-side", "--force-conflicts", "-f", "FILE", given=changed()
    ),
    "replace": lambda k: k("replace", "-f", "FILE", given=changed()),
    "set image": lambda k: k("set", "image", "deployment/shop", f"web={CANARY_IMAGE}"),
    "set env": lambda k: k("set", "env", "deployment/shop", "COLOUR=green"),
    "set resources": lambda k: k("set", "resources", "deployment/shop", "--limits=memory=1Gi"),
    "merge patch": lambda k: k(
        "patch", "deployment", "shop", "--type=merge", "-p", MERGE % CANARY_IMAGE
    ),
    "strategic patch": lambda k: k("patch", "deployment", "shop", "-p", MERGE % CANARY_IMAGE),
    "JSON patch that drops the label": lambda k: k(
        "patch", "deployment", "shop", "--type=json", "-p", REMOVE_AND_SET
    ),
    "rollout restart": lambda k: k("rollout", "restart", "deployment/shop"),
    "set serviceaccount": lambda k: k("set", "serviceaccount", "deployment/shop", "seller"),
    "edit": lambda k: k("edit", "deployment/shop", editor=EDITOR),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_changed_template_is_held(cluster: HttpCluster, kubectl: Kubectl, way: str) -> None:
    await WAYS[way](kubectl)
    await is_held(cluster)


# kubectl itself refuses to restart what is paused.
TWICE = [way for way in WAYS if way != "rollout restart"]


@pytest.mark.parametrize("way", TWICE)
async def test_the_same_again_with_paused_false_is_held_too(
    cluster: HttpCluster, kubectl: Kubectl, way: str
) -> None:
    await WAYS[way](kubectl)
    await WAYS[way](kubectl)
    await is_held(cluster)


async def test_a_third_template_is_held_too(cluster: HttpCluster, kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "FILE", given=changed())
    await kubectl("apply", "-f", "FILE", given=changed(THIRD_IMAGE))
    await is_held(cluster)
    assert image_of(await cluster.get("deployments", "shop")) == THIRD_IMAGE


async def test_a_server_side_apply_after_client_side_ones_is_held(
    cluster: HttpCluster, kubectl: Kubectl
) -> None:
    await kubectl("apply", "-f", "FILE", given=changed())
    await kubectl("apply", "-f", "FILE", given=changed())
    options = ("--server-side", "--force-conflicts")
    await kubectl("apply", *options, "-f", "FILE", given=changed(THIRD_IMAGE))
    await kubectl("apply", *options, "-f", "FILE", given=changed(THIRD_IMAGE))
    await is_held(cluster)


async def test_resume_while_held_changes_nothing(cluster: HttpCluster, kubectl: Kubectl) -> None:
    await WAYS["set image"](kubectl)
    await kubectl("rollout", "resume", "deployment/shop")
    await is_held(cluster)


async def test_an_undo_at_rest_is_held(cluster: HttpCluster, kubectl: Kubectl) -> None:
    await label(cluster, None)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await complete(cluster)
    await label(cluster, holding.MANAGED)
    await kubectl("rollout", "undo", "deployment/shop")
    shop = await observed(cluster, "shop")
    assert shop["spec"]["paused"] is True
    assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}


async def test_scaling_is_nobodys_business(cluster: HttpCluster, kubectl: Kubectl) -> None:
    await kubectl("scale", "deployment/shop", "--replicas=5")
    shop = await complete(cluster)
    assert shop["metadata"]["labels"][LABEL] == holding.MANAGED
    await kubectl("set", "image", "deployment/shop", f"web={CANARY_IMAGE}")
    await kubectl("scale", "deployment/shop", "--replicas=4")

    async def scaled() -> None:
        assert await sizes(cluster) == {STABLE_IMAGE: 4}

    await cluster.eventually(scaled)


async def test_at_rest_nothing_is_paused_and_an_unchanged_apply_is_none(
    cluster: HttpCluster, kubectl: Kubectl
) -> None:
    await kubectl("apply", "-f", "FILE", given=deployment())
    await kubectl("annotate", "deployment", "shop", "note=1")
    await is_at_rest(cluster)
    assert "unchanged" in await kubectl("apply", "-f", "FILE", given=deployment())


async def test_at_rest_a_user_may_pause_and_resume_for_herself(
    cluster: HttpCluster, kubectl: Kubectl
) -> None:
    await kubectl("rollout", "pause", "deployment/shop")
    shop = await observed(cluster, "shop")
    assert (shop["spec"]["paused"], shop["metadata"]["labels"][LABEL]) == (True, holding.MANAGED)
    await kubectl("rollout", "resume", "deployment/shop")
    await is_at_rest(cluster)


@pytest.mark.parametrize("drop", [f"{LABEL}-", f"{LABEL}=managed", f"{LABEL}=mine"])
async def test_a_label_that_someone_drops_or_turns_is_put_back(
    cluster: HttpCluster, kubectl: Kubectl, drop: str
) -> None:
    await kubectl("label", "--overwrite", "deployment", "shop", drop)
    await is_at_rest(cluster)
    await kubectl("set", "image", "deployment/shop", f"web={CANARY_IMAGE}")
    await kubectl("label", "--overwrite", "deployment", "shop", drop)
    await is_held(cluster)


async def test_a_replace_without_the_label_leaves_it(
    cluster: HttpCluster, kubectl: Kubectl
) -> None:
    await kubectl("replace", "-f", "FILE", given=deployment())
    await is_at_rest(cluster)


async def test_the_glass_may_be_broken(cluster: HttpCluster, kubectl: Kubectl) -> None:
    await kubectl("set", "image", "deployment/shop", f"web={CANARY_IMAGE}")
    await is_held(cluster)
    await kubectl("label", "--overwrite", "deployment", "shop", f"{LABEL}={holding.OFF}")
    await kubectl("rollout", "resume", "deployment/shop")
    await complete(cluster)
    assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}
    await kubectl("set", "image", "deployment/shop", f"web={THIRD_IMAGE}")
    shop = await complete(cluster)
    assert shop["metadata"]["labels"][LABEL] == holding.OFF


async def test_serinus_may_set_a_template_and_lift_the_hold(
    cluster: HttpCluster, kubectl: Kubectl
) -> None:
    await kubectl("set", "image", "deployment/shop", f"web={CANARY_IMAGE}")
    await is_held(cluster)
    lifted: dict[str, Any] = {
        "metadata": {"labels": {LABEL: holding.MANAGED}},
        "spec": {"paused": None},
    }
    await cluster.patch("deployments", "shop", lifted, field_manager=OURS)
    shop = await complete(cluster)
    assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}
    assert not shop["spec"].get("paused")
    await cluster.patch(
        "deployments", "shop", with_image(THIRD_IMAGE), type="strategic", field_manager=OURS
    )
    await complete(cluster)


async def test_a_deployment_without_the_label_is_left_alone(
    cluster: HttpCluster, kubectl: Kubectl
) -> None:
    await cluster.create("deployments", deployment("other", labels={"app": "other"}))
    await kubectl("set", "image", "deployment/other", f"web={CANARY_IMAGE}")
    other = await complete(cluster, "other")
    assert not other["spec"].get("paused")
    assert LABEL not in other["metadata"]["labels"]


async def test_who_writes_to_a_held_deployment_is_told_what_to_do(
    cluster: HttpCluster, kubectl: Kubectl
) -> None:
    said = await kubectl("set", "image", "deployment/shop", f"web={CANARY_IMAGE}")
    assert "Warning:" in said
    assert "Deployment shop is held by serinus" in said
    assert f"kubectl label --overwrite deployment shop -n {cluster.namespace} {LABEL}=off" in said
    said = await kubectl("label", "--overwrite", "deployment", "shop", f"{LABEL}=off")
    assert "Warning:" not in said
