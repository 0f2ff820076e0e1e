"""Who may do what, asked of the real API server: exactly what the roles say, and nothing else."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from serinus.cli.operating.letting_go import let_go
from serinus.errors import AlreadyExists, Forbidden
from serinus.install import crd, manifests, policy, roles
from serinus.install.cluster import applying, removing
from serinus.install.kinds import CANARY_RELEASES, INSTALLED
from serinus.install.roles import Rule
from serinus.install.settings import CONTROLLER, NAMESPACE, Hold, Settings
from serinus.kube import discovery
from serinus.kube.client import Client
from serinus.kube.config import Connection
from serinus.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS, LEASES, NAMESPACES
from serinus.process import SystemClock
from serinus.release.holding import HOLD_POLICY
from tests.conformance.kubectl import Kubectl
from tests.control_plane.bench import ControlPlane
from tests.install.commands import admin_of
from tests.install.waiting import until

ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{CONTROLLER}"
ACCOUNT_GROUPS = (
    "system:serviceaccounts",
    f"system:serviceaccounts:{NAMESPACE}",
    "system:authenticated",
)
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
MORE_RESOURCES = (
    ("", "secrets"),
    ("", "nodes"),
    ("", "pods/exec"),
    ("", "pods/eviction"),
    ("apps", "deployments/scale"),
    ("apps", "deployments/status"),
    ("apps", "replicasets/scale"),
    ("serinus.dev", "canaryreleases/status"),
    ("serinus.dev", "canaryreleases/finalizers"),
    ("serinus.dev", "trafficplans/status"),
)
# What every account may ask about itself.
OF_ITSELF = {"authorization.k8s.io", "authentication.k8s.io", "certificates.k8s.io"}
RELEASE: dict[str, Any] = {
    "apiVersion": CANARY_RELEASES.api_version,
    "kind": CANARY_RELEASES.kind,
    "metadata": {"name": "shop"},
    "spec": {"targetRef": {"name": "shop"}, "service": {"name": "shop"}},
}
PROMOTE = {"metadata": {"annotations": {"serinus.dev/command": '{"verb":"promote"}'}}}

Right = tuple[str, str, str]
"""API group, resource, verb."""


class Asked(msgspec.Struct, frozen=True):
    """Whom a question is about, and where."""

    user: str
    groups: tuple[str, ...]
    namespace: str | None


@pytest.fixture
def admin(kubernetes: ControlPlane) -> Connection:
    return admin_of(kubernetes)


@pytest_asyncio.fixture
async def client(admin: Connection) -> AsyncIterator[Client]:
    """A client of the one who may do everything; what was installed is removed afterwards."""
    async with Client(admin) as made:
        for name in ("pay", "shop"):
            try:
                await made.create(NAMESPACES, {"metadata": {"name": name}})
            except AlreadyExists:
                continue
        yield made
        found = await removing.releases(made)
        await let_go(made, found, limit_ms=20_000)
        async for _ in removing.remove(made, let_go=None):
            pass

        async def gone() -> bool:
            return not await applying.installed(made)

        await until(gone)


async def install(client: Client, **choices: Any) -> None:
    # Other tests of the same control plane change Deployments as they like.
    settings = Settings(hold=Hold.FIELD, **choices)
    async for _ in applying.apply(client, manifests.objects(settings), SystemClock()):
        pass


def rights(rules: Iterable[Rule]) -> set[Right]:
    return {
        (group, resource, verb)
        for group, resources, verbs in rules
        for resource, verb in itertools.product(resources.split(), verbs.split())
    }


async def allowed(client: Client, asked: Asked) -> set[Right]:
    """Ask the API server about every resource that it serves and every verb."""
    served = [(r.kind.group, r.kind.plural) for r in (await discovery.fetch(client)).resources]
    resources = list(dict.fromkeys((*served, *MORE_RESOURCES)))
    every = [(*pair, verb) for pair in resources if pair[0] not in OF_ITSELF for verb in VERBS]
    limit = asyncio.Semaphore(16)

    async def ask(right: Right) -> bool:
        async with limit:
            return await may(client, asked, right)

    answers = await asyncio.gather(*(ask(right) for right in every))
    assert len(every) > 300
    return {right for right, answer in zip(every, answers, strict=True) if answer}


async def may(client: Client, asked: Asked, right: Right, name: str = "") -> bool:
    group, resource, verb = right
    resource, _, subresource = resource.partition("/")
    attributes = {
        "namespace": asked.namespace or "",
        "verb": verb,
        "group": group,
        "version": "*",
        "resource": resource,
        "subresource": subresource,
        "name": name,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": asked.user,
            "groups": list(asked.groups),
            "resourceAttributes": attributes,
        },
    }
    answer = await client.raw(
        "POST",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        headers=[("Content-Type", "application/json")],
        body=json.dumps(body).encode(),
    )
    return bool(json.loads(answer)["status"]["allowed"])


def controller(namespace: str | None) -> Asked:
    return Asked(ACCOUNT, ACCOUNT_GROUPS, namespace)


async def test_the_controller_may_do_everywhere_what_its_role_says(client: Client) -> None:
    await install(client)
    expected = rights(roles.RELEASE_RULES)
    assert await allowed(client, controller("shop")) == expected
    assert await allowed(client, controller(None)) == expected
    own = await allowed(client, controller(NAMESPACE))
    assert own == expected | rights(roles.LEADER_RULES)


async def test_in_chosen_namespaces_it_may_do_so_there_alone(client: Client) -> None:
    await install(client, watch_namespaces=("shop",))
    assert await allowed(client, controller("shop")) == rights(roles.RELEASE_RULES)
    assert await allowed(client, controller(NAMESPACE)) == rights(roles.LEADER_RULES)
    assert await allowed(client, controller("pay")) == set()
    assert await allowed(client, controller(None)) == set()


async def bind(client: Client, user: str, role: str) -> Asked:
    """Give a person a ClusterRole in the namespace `shop`."""
    kind = next(k for k in INSTALLED if k.kind == "RoleBinding")
    body = {
        "metadata": {"name": f"{user}-{role}"},
        "roleRef": {"apiGroup": roles.RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": roles.RBAC, "kind": "User", "name": user}],
    }
    await client.apply(kind, body, "shop", field_manager="test", force=True)
    return Asked(user, ("system:authenticated",), "shop")


async def test_each_role_for_people_allows_what_it_says(client: Client) -> None:
    await install(client)
    expected: Mapping[str, set[Right]] = {
        roles.VIEWER: rights(roles.VIEWER_RULES),
        roles.RELEASE_MANAGER: rights(roles.MANAGER_RULES),
    }
    for role, wanted in expected.items():
        asked = await bind(client, f"only-{role}", role)
        assert await allowed(client, asked) == wanted


async def test_the_built_in_roles_take_them_in(client: Client) -> None:
    await install(client)
    look, change = (("serinus.dev", "canaryreleases", verb) for verb in ("watch", "patch"))
    write_status = ("serinus.dev", "canaryreleases/status", "update")
    for role, wanted in (
        ("view", (True, False, False)),
        ("edit", (True, True, False)),
        ("admin", (True, True, False)),
    ):
        asked = await bind(client, f"a-{role}", role)
        # The controller-manager fills them a moment later.
        last = change if wanted[1] else look
        await until(functools.partial(may, client, asked, last))
        found = [await may(client, asked, right) for right in (look, change, write_status)]
        assert tuple(found) == wanted


async def test_without_a_controller_whoever_releases_may_drive(client: Client) -> None:
    await install(client, controller=False)
    asked = await bind(client, "driver", roles.RELEASE_MANAGER)
    assert await allowed(client, asked) == rights(roles.DRIVER_RULES)


async def test_whoever_is_known_can_find_the_controller_and_no_more(client: Client) -> None:
    await install(client)
    known = Asked("someone", ("system:authenticated",), NAMESPACE)
    lease = (LEASES.group, LEASES.plural, "get")
    definition = (CUSTOM_RESOURCE_DEFINITIONS.group, CUSTOM_RESOURCE_DEFINITIONS.plural, "get")
    assert await may(client, known, lease, CONTROLLER)
    assert not await may(client, known, lease, "other")
    binding = (policy.GROUP, "mutatingadmissionpolicybindings", "watch")
    assert await may(client, known, binding, HOLD_POLICY)
    assert not await may(client, known, binding, "other")
    assert await may(client, known, definition, crd.NAME)
    assert not await may(client, known, definition, "others.example.com")
    assert await allowed(client, known) == set()


async def test_a_viewer_sees_a_release_and_cannot_promote_it(
    admin: Connection, client: Client, tmp_path: Path
) -> None:
    await install(client)
    await bind(client, "looker", roles.VIEWER)
    await bind(client, "releaser", roles.RELEASE_MANAGER)
    await client.create(CANARY_RELEASES, RELEASE, "shop")
    looking = msgspec.structs.replace(admin, as_user="looker")
    async with Client(looking) as looker:
        assert await looker.get(CANARY_RELEASES, "shop", "shop")
        with pytest.raises(Forbidden, match='cannot patch resource "canaryreleases"'):
            await looker.patch(CANARY_RELEASES, "shop", "shop", PROMOTE)
    kubectl = Kubectl(admin, "shop", tmp_path)
    words = ("annotate", "crel", "shop", "serinus.dev/command={}")
    refused = await kubectl.run(*words, "--as=looker")
    assert (refused.code, "Forbidden" in refused.output) == (1, True)
    await kubectl("get", "crel", "shop", "--as=looker")
    await kubectl(*words, "--as=releaser")


async def test_the_controller_writes_status_and_finalizer_and_a_person_no_status(
    admin: Connection, client: Client
) -> None:
    await install(client)
    await bind(client, "releaser", roles.RELEASE_MANAGER)
    made = await client.create(CANARY_RELEASES, RELEASE, "shop")
    as_controller = msgspec.structs.replace(admin, as_user=ACCOUNT, as_groups=ACCOUNT_GROUPS)
    body = {**made, "status": {"phase": "Healthy"}}
    async with Client(as_controller) as writer:
        written = await writer.replace(CANARY_RELEASES, body, "shop", subresource="status")
        assert written["status"] == {"phase": "Healthy"}
        finalizer = {"metadata": {"finalizers": ["serinus.dev/let-go"]}}
        await writer.patch(CANARY_RELEASES, "shop", "shop", finalizer)
        await writer.patch(CANARY_RELEASES, "shop", "shop", {"metadata": {"finalizers": None}})
        with pytest.raises(Forbidden):
            await writer.delete(CANARY_RELEASES, "shop", "shop")
    releasing = msgspec.structs.replace(admin, as_user="releaser")
    async with Client(releasing) as person:
        with pytest.raises(Forbidden):
            await person.replace(CANARY_RELEASES, body, "shop", subresource="status")
