"""`serinus install` and `uninstall` on a cluster: applied, applied again, changed, removed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

import serinus as package
from serinus.cli.operating.letting_go import let_go
from serinus.errors import AlreadyExists
from serinus.install import crd, manifests
from serinus.install.cluster import applying, finding, removing
from serinus.install.kinds import CANARY_RELEASES, shown
from serinus.install.settings import (
    CONTROLLER,
    NAMESPACE,
    VERSION_LABEL,
    Hold,
    Settings,
)
from serinus.kube.client import Client
from serinus.kube.kinds import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    NAMESPACES,
)
from tests.install.commands import Serinus
from tests.install.waiting import until

RELEASE: dict[str, Any] = {
    "apiVersion": CANARY_RELEASES.api_version,
    "kind": CANARY_RELEASES.kind,
    "metadata": {"name": "shop", "namespace": "default"},
    "spec": {"targetRef": {"name": "shop"}, "service": {"name": "shop"}},
}


@pytest_asyncio.fixture(autouse=True)
async def clean(client: Client) -> AsyncIterator[None]:
    """Leave the cluster, which other tests use too, as it was."""
    with contextlib.suppress(AlreadyExists):
        await client.create(NAMESPACES, {"metadata": {"name": "default"}})
    yield
    releases = await removing.releases(client)
    await let_go(client, releases, limit_ms=20_000)
    async for _ in removing.remove(client, let_go=None):
        pass
    await gone(client)


async def gone(client: Client) -> None:
    """Wait until nothing that was installed is left."""

    async def none_left() -> bool:
        return not await applying.installed(client)

    await until(none_left)


async def names(client: Client) -> set[str]:
    return {shown(manifest) for manifest in await applying.installed(client)}


async def wanted(client: Client, **choices: Any) -> set[str]:
    """Return the names of an installation with the hold that the cluster offers."""
    offered = await applying.policy_version(client)
    hold = Hold.FIELD if offered is None else Hold.POLICY
    return {shown(m) for m in manifests.objects(Settings(**{"hold": hold, **choices}))}


async def test_an_installation_is_what_was_printed(client: Client, serinus: Serinus) -> None:
    said = await serinus("install")
    assert await names(client) == await wanted(client)
    assert {line.removesuffix(" created") for line in said.splitlines()} == await wanted(client)
    found = await client.get(CUSTOM_RESOURCE_DEFINITIONS, crd.NAME)
    conditions = {c["type"]: c["status"] for c in found["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert await client.create(CANARY_RELEASES, RELEASE)


async def test_where_and_what_is_said_first(serinus: Serinus) -> None:
    done = await serinus.run("install")
    assert done.errors.splitlines()[0].startswith("install serinus ")
    assert f"namespace {NAMESPACE})" in done.errors.splitlines()[0]


async def test_the_same_again_changes_nothing(client: Client, serinus: Serinus) -> None:
    await serinus("install")
    before = {m["metadata"]["uid"]: m for m in await applying.installed(client)}
    said = await serinus("install")
    assert {line.rpartition(" ")[2] for line in said.splitlines()} == {"unchanged"}
    for manifest in await applying.installed(client):
        old = before[manifest["metadata"]["uid"]]
        assert old["metadata"].get("generation") == manifest["metadata"].get("generation")


async def test_it_may_come_back_while_it_is_still_going(client: Client, serinus: Serinus) -> None:
    await serinus("install")
    await serinus("uninstall")
    await serinus("install")
    assert await names(client) == await wanted(client)


async def test_another_choice_is_an_upgrade(client: Client, serinus: Serinus) -> None:
    await serinus("install")
    said = await serinus(
        "install", "--image", "registry.example/serinus:2", "--watch-namespace=default"
    )
    assert f"deployment.apps/{CONTROLLER} in {NAMESPACE} configured" in said
    assert f"clusterrole.rbac.authorization.k8s.io/{CONTROLLER} removed" in said
    assert await names(client) == await wanted(client, watch_namespaces=("default",))
    container = (await client.get(DEPLOYMENTS, CONTROLLER, NAMESPACE))["spec"]["template"]["spec"][
        "containers"
    ][0]
    assert container["image"] == "registry.example/serinus:2"
    assert "--watch-namespace=default" in container["args"]


async def test_without_a_controller_there_is_no_workload(client: Client, serinus: Serinus) -> None:
    await serinus("install")
    await serinus("install", "--cli-only")
    left = await names(client)
    # The namespace may hold what is not ours, and stays until the end.
    assert left - {f"namespace/{NAMESPACE}"} == await wanted(client, controller=False)
    found = await client.get(CUSTOM_RESOURCE_DEFINITIONS, crd.NAME)
    assert "annotations" not in found["metadata"] or not found["metadata"]["annotations"]


async def test_a_change_of_someone_else_is_not_written_over_unless_asked(
    client: Client, serinus: Serinus
) -> None:
    await serinus("install")
    patch = {"spec": {"replicas": 1}}
    await client.patch(DEPLOYMENTS, CONTROLLER, NAMESPACE, patch, field_manager="someone")
    refused = await serinus.run("install")
    assert refused.code == 1
    assert "someone" in refused.errors
    assert ".spec.replicas" in refused.errors
    await serinus("install", "--force-conflicts")
    found = await client.get(DEPLOYMENTS, CONTROLLER, NAMESPACE)
    assert found["spec"]["replicas"] == 2


async def test_a_second_controller_elsewhere_is_refused(client: Client, serinus: Serinus) -> None:
    await serinus("install")
    refused = await serinus.run("install", "--namespace", "elsewhere")
    assert refused.code == 1
    assert f"installed in namespace {NAMESPACE}" in refused.errors
    assert await client.find(NAMESPACES, "elsewhere") is None


async def test_a_missing_namespace_is_named_before_anything_is_written(
    client: Client, serinus: Serinus
) -> None:
    refused = await serinus.run("install", "--watch-namespace", "nowhere")
    assert refused.code == 1
    assert "kubectl create namespace nowhere" in refused.errors
    assert await names(client) == set()


async def test_a_policy_that_is_not_offered_is_refused(client: Client, serinus: Serinus) -> None:
    if await applying.policy_version(client) is not None:
        assert await serinus("install", "--hold=policy")
        return
    refused = await serinus.run("install", "--hold=policy")
    assert refused.code == 1
    assert "--hold field works everywhere" in refused.errors
    assert await names(client) == set()


async def test_another_version_is_told(client: Client, serinus: Serinus) -> None:
    await serinus("install")
    assert await finding.find(client) == finding.Installation(package.__version__, NAMESPACE)
    label = {"metadata": {"labels": {VERSION_LABEL: "99.0.0"}}}
    await client.patch(CUSTOM_RESOURCE_DEFINITIONS, crd.NAME, None, label)
    done = await serinus.run("install", "--force-conflicts")
    assert "warning: the cluster has serinus 99.0.0" in done.errors
    assert (await finding.find(client) or finding.Installation("", None)).skew == ""


async def test_where_nothing_is_there_is_nothing_to_remove(
    client: Client, serinus: Serinus
) -> None:
    done = await serinus.run("uninstall")
    assert (done.code, done.output) == (0, "")
    assert "nothing to remove" in done.errors
    definition = crd.definition(Settings(managed_by="Helm"))
    await client.create(CUSTOM_RESOURCE_DEFINITIONS, definition)
    refused = await serinus.run("uninstall")
    assert refused.code == 1
    assert "helm" in refused.errors
    await client.delete(CUSTOM_RESOURCE_DEFINITIONS, crd.NAME)


async def test_a_rehearsal_writes_nothing(client: Client, serinus: Serinus) -> None:
    said = await serinus("install", "--dry-run=server")
    assert "created (server dry run)" in said
    assert "its namespace is not there yet" in said
    assert await names(client) == set()
    assert await serinus("install", "--dry-run=client", "--hold=field")
    assert await names(client) == set()


async def test_a_namespace_of_someone_else_is_left_as_it_is(
    client: Client, serinus: Serinus
) -> None:
    with contextlib.suppress(AlreadyExists):
        await client.create(NAMESPACES, {"metadata": {"name": "shared"}})
    said = await serinus("install", "-n", "shared")
    assert "namespace/shared left as it is" in said
    await serinus("uninstall")
    found = await client.get(NAMESPACES, "shared")
    assert "deletionTimestamp" not in found["metadata"]
    assert "app.kubernetes.io/managed-by" not in (found["metadata"].get("labels") or {})


async def test_nothing_is_removed_while_there_are_releases(
    client: Client, serinus: Serinus
) -> None:
    await serinus("install")
    await client.create(CANARY_RELEASES, RELEASE)
    before = await names(client)
    refused = await serinus.run("uninstall")
    assert refused.code == 1
    assert "default/shop" in refused.errors
    assert "--let-go" in refused.errors
    assert await names(client) == before
    said = await serinus("uninstall", "--let-go")
    assert (
        said.splitlines()[-1] == f"customresourcedefinition.apiextensions.k8s.io/{crd.NAME} removed"
    )
    await gone(client)


async def test_what_would_be_removed_is_named(client: Client, serinus: Serinus) -> None:
    await serinus("install")
    said = await serinus("uninstall", "--print")
    assert set(said.splitlines()) == await wanted(client)
    assert await names(client) == await wanted(client)


async def test_waiting_ends_when_the_controller_does_not_come(
    client: Client, serinus: Serinus
) -> None:
    """Nothing plays the pods of this cluster."""
    done = await serinus.run("install", "--wait", "--timeout", "300ms")
    assert done.code == 1
    assert "0 of 2 replicas of the controller are available" in done.errors
