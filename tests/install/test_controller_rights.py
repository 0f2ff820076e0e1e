"""The controller with exactly the printed roles, on the real API server with RBAC on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from serinus.errors import NotFound
from serinus.install import manifests
from serinus.install.cluster import applying, removing
from serinus.install.kinds import CANARY_RELEASES, INSTALLED
from serinus.install.settings import CONTROLLER, NAMESPACE, Hold, Settings
from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.kube.kinds import NAMESPACES, SERVICE_ACCOUNTS
from serinus.process import SystemClock, spawn, stop
from serinus.release import holding
from tests.conformance.cluster import Object
from tests.conformance.kubectl import Kubectl
from tests.conformance.manifests import CANARY_IMAGE, STABLE_IMAGE, deployment, service
from tests.conformance.over_http import HttpCluster
from tests.conformance.workloads import complete, set_image, sizes
from tests.control_plane.bench import ControlPlane
from tests.install.commands import Serinus, admin_of
from tests.install.waiting import until

pytestmark = pytest.mark.timeout(240)
_numbers = itertools.count(1)
_REMOVED = "the server could not find the requested resource"
"""From here on the log tells of an installation that is gone."""
TOKEN_REQUEST = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}


class Scene(msgspec.Struct, frozen=True):
    """A namespace on a cluster in which the controller runs under its own account."""

    cluster: HttpCluster
    admin: Connection
    log: Path
    hold: Hold
    missing: list[str] = []
    """What was taken from the role on purpose."""

    async def release(self) -> Object:
        """Return the CanaryRelease `shop`."""
        kind = CANARY_RELEASES
        return await self.cluster._client.get(kind, "shop", self.cluster.namespace)

    async def phase(self, wanted: str) -> Object:
        """Wait until the release is in a phase."""

        async def there() -> Object:
            found = await self.release()
            assert found.get("status", {}).get("phase") == wanted, found.get("status")
            return found

        return await self.cluster.eventually(there, deadline_ms=60_000)


@pytest_asyncio.fixture(params=["everywhere, by policy", "one namespace, by field"])
async def scene(
    request: pytest.FixtureRequest, kubernetes: ControlPlane, tmp_path: Path
) -> AsyncIterator[Scene]:
    admin, name = admin_of(kubernetes), f"rights-{next(_numbers)}"
    everywhere = request.param == "everywhere, by policy"
    settings = Settings(
        hold=Hold.POLICY if everywhere else Hold.FIELD,
        watch_namespaces=() if everywhere else (name,),
    )
    async with Client(admin) as client:
        await client.create(NAMESPACES, {"metadata": {"name": name}})
        async for _ in applying.apply(client, manifests.objects(settings), SystemClock()):
            pass
        cluster = HttpCluster(client, name, [])
        log = tmp_path / "controller.log"
        try:
            async with running(await account(client, admin), log, tmp_path, settings):
                scene = Scene(cluster, admin, log, settings.hold)
                yield scene
                await let_go(client, cluster)
                refused = "forbidden" in log.read_text().lower().partition(_REMOVED)[0]
                assert refused == bool(scene.missing)
        finally:
            async for _ in removing.remove(client, let_go=None):
                pass
            await until(lambda: nothing_left(client))
            await cluster.close()


async def nothing_left(client: Client) -> bool:
    return not await applying.installed(client)


async def let_go(client: Client, cluster: HttpCluster) -> None:
    # The kind itself may be gone too.
    with contextlib.suppress(NotFound):
        await client.delete(CANARY_RELEASES, "shop", cluster.namespace)

    async def gone() -> None:
        assert await client.find(CANARY_RELEASES, "shop", cluster.namespace) is None

    await cluster.eventually(gone, deadline_ms=60_000)


async def account(client: Client, admin: Connection) -> Connection:
    """Return a connection with a token of the controller's own account."""
    answer = await client.create(
        SERVICE_ACCOUNTS, TOKEN_REQUEST, NAMESPACE, name=CONTROLLER, subresource="token"
    )
    return msgspec.structs.replace(admin, token=answer["status"]["token"], namespace=NAMESPACE)


@contextlib.asynccontextmanager
async def running(
    connection: Connection, log: Path, folder: Path, settings: Settings
) -> AsyncIterator[None]:
    """Run the controller with the arguments of its Deployment, but for where it listens."""
    (folder / "account").mkdir()
    kubeconfig = Kubectl(connection, NAMESPACE, folder / "account").kubeconfig
    watched = [f"--watch-namespace={name}" for name in settings.watch_namespaces]
    arguments = ["controller", "--port=0", "--log-format=json", "--host=127.0.0.1", *watched]
    more = [f"--kubeconfig={kubeconfig}", f"--lease-namespace={NAMESPACE}", "--verbose"]
    with log.open("wb") as output:
        process = await spawn(
            [sys.executable, "-m", "serinus", *arguments, *more],
            stdout=output,
            stderr=output,
            die_with_parent=True,
        )
    try:
        yield
    finally:
        await stop(process, grace_ms=5_000)


async def bind(client: Client, user: str, role: str, namespace: str) -> None:
    kind = next(k for k in INSTALLED if k.kind == "RoleBinding")
    group = "rbac.authorization.k8s.io"
    body = {
        "metadata": {"name": user},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
    await client.create(kind, body, namespace)


def a_release() -> dict[str, Any]:
    return {
        "apiVersion": CANARY_RELEASES.api_version,
        "kind": CANARY_RELEASES.kind,
        "metadata": {"name": "shop"},
        "spec": {
            "targetRef": {"name": "shop"},
            "service": {"name": "shop"},
            "router": {"replicaRatio": {"settle": "100ms"}},
            "steps": [{"setWeight": 25}, {"pause": {}}],
        },
    }


async def on_trial(scene: Scene) -> None:
    """Bring a release to its pause at 25 %."""
    cluster = scene.cluster
    await cluster.create("deployments", deployment())
    await cluster.create("services", service())
    await complete(cluster)
    await cluster._client.create(CANARY_RELEASES, a_release(), cluster.namespace)
    await scene.phase("Healthy")
    await is_guarded(scene)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await scene.phase("Paused")
    assert (await sizes(cluster))[STABLE_IMAGE] == 3


async def test_the_controller_needs_no_more_and_a_viewer_cannot_promote(
    scene: Scene, tmp_path: Path
) -> None:
    cluster, client = scene.cluster, scene.cluster._client
    await on_trial(scene)
    await bind(client, "looker", "view", cluster.namespace)
    await bind(client, "releaser", "edit", cluster.namespace)
    serinus = Serinus(scene.admin, tmp_path)
    where = ("-n", cluster.namespace)
    refused = await serinus.run("promote", "shop", *where, "--as=looker")
    assert refused.code == 1
    assert 'cannot patch resource "canaryreleases"' in refused.errors, refused
    assert (await scene.release())["status"]["phase"] == "Paused"

    promoting = asyncio.create_task(serinus("promote", "shop", *where, "--as=releaser"))
    await scene.phase("Healthy")
    await promoting
    assert await sizes(cluster) == {STABLE_IMAGE: 0, CANARY_IMAGE: 3}

    events = (await cluster.list("events")).items
    told = {e["reason"] for e in events if e["involvedObject"]["kind"] == CANARY_RELEASES.kind}
    assert told, "no Event tells of the release"
    await let_go(client, cluster)
    shop = await complete(cluster)
    assert holding.RELEASE_LABEL not in shop["metadata"]["labels"]
    assert not shop["spec"].get("paused")
    assert '"leads"' in scene.log.read_text()


async def test_a_right_that_is_missing_is_named_and_the_phase_outlives_it(
    scene: Scene, tmp_path: Path
) -> None:
    cluster, client = scene.cluster, scene.cluster._client
    await on_trial(scene)
    wide = scene.hold is Hold.POLICY
    kind = next(k for k in INSTALLED if k.kind == ("ClusterRole" if wide else "Role"))
    where = None if wide else cluster.namespace
    role = await client.get(kind, CONTROLLER, where)
    scene.missing.append("patch services")
    rules = [
        {**rule, "verbs": [v for v in rule["verbs"] if v != "patch"]}
        if rule["resources"] == ["services"]
        else rule
        for rule in role["rules"]
    ]
    await client.replace(kind, {**role, "rules": rules}, where)
    await Serinus(scene.admin, tmp_path)("promote", "shop", "-n", cluster.namespace)

    async def told() -> str:
        status = (await scene.release())["status"]
        (found,) = [c for c in status["conditions"] if c["type"] == "Degraded"]
        assert (status["phase"], found["status"], found["reason"]) == (
            "Promoting",
            "True",
            "Forbidden",
        )
        message: str = found["message"]
        return message

    message = await cluster.eventually(told, deadline_ms=60_000)
    assert 'cannot patch resource "services"' in message
    lacking = await client.get(kind, CONTROLLER, where)
    await client.replace(kind, {**lacking, "rules": role["rules"]}, where)
    # It tries again by itself within a minute; a change of anything of its own comes first.
    note = {"metadata": {"annotations": {"mended": "yes"}}}
    await client.patch(CANARY_RELEASES, "shop", cluster.namespace, note)
    await scene.phase("Healthy")


async def test_uninstalling_gives_back_what_a_release_on_its_way_has_changed(
    scene: Scene, tmp_path: Path
) -> None:
    cluster = scene.cluster
    await on_trial(scene)
    serinus = Serinus(scene.admin, tmp_path)
    refused = await serinus.run("uninstall")
    assert refused.code == 1
    assert f"{cluster.namespace}/shop" in refused.errors
    # Who plays the kubelet must go on meanwhile: pods of the canary leave.
    removing_all = asyncio.create_task(serinus("uninstall", "--let-go"))

    async def done() -> None:
        assert removing_all.done()

    await cluster.eventually(done, deadline_ms=60_000)
    assert "customresourcedefinition" in (await removing_all).splitlines()[-1]
    assert [d["metadata"]["name"] for d in (await cluster.list("deployments")).items] == ["shop"]
    assert await sizes(cluster) == {STABLE_IMAGE: 3}
    shop = await cluster.get("deployments", "shop")
    # Its template was not promoted: unpaused, it would roll out untried.
    assert shop["spec"]["paused"] is True
    assert holding.RELEASE_LABEL not in shop["metadata"]["labels"]
    found = await cluster.get("services", "shop")
    assert found["spec"]["selector"] == service()["spec"]["selector"]


async def is_guarded(scene: Scene) -> None:
    """Wait until the hold is what this installation chose."""

    async def guarded() -> None:
        shop = await scene.cluster.get("deployments", "shop")
        if scene.hold is Hold.POLICY:
            assert shop["metadata"]["labels"].get(holding.RELEASE_LABEL) == holding.MANAGED
            assert not shop["spec"].get("paused")
        else:
            assert shop["spec"].get("paused") is True

    await scene.cluster.eventually(guarded)
