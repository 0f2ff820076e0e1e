"""The client against a real kube-apiserver."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from serinus import errors
from serinus.kube import config, discovery, objects
from serinus.kube.cache import Backoff, Cache, CacheSetting
from serinus.kube.client import Client, PatchType, Propagation
from serinus.kube.config import Connection
from serinus.kube.kinds import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    LEASES,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Kind,
)
from serinus.kube.lease import Lease, LeaseOptions
from tests.control_plane.bench import ControlPlane

_numbers = itertools.count(1)


@pytest.fixture
def connection(kubernetes: ControlPlane) -> Connection:
    return config.load(kubernetes.kubeconfig)


@pytest.fixture
async def client(connection: Connection) -> AsyncIterator[Client]:
    async with Client(connection) as client:
        yield client


@pytest.fixture
async def namespace(client: Client) -> AsyncIterator[str]:
    name = f"kube-client-{next(_numbers)}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    yield name
    await client.delete(NAMESPACES, name)


def a_deployment(name: str = "shop", replica_count: int = 2) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replica_count,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
            },
        },
    }


def a_config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"test": "yes"}}, "data": data}


async def until(cache: Cache[Any], condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await cache.wait_for_change(1_000)


async def test_the_verbs_do_what_they_say(client: Client, namespace: str) -> None:
    made = await client.create(DEPLOYMENTS, a_deployment(), namespace, field_manager="serinus")
    assert made["metadata"]["managedFields"][0]["manager"] == "serinus"
    with pytest.raises(errors.AlreadyExists):
        await client.create(DEPLOYMENTS, a_deployment(), namespace)
    dry = await client.patch(
        DEPLOYMENTS, "shop", namespace, {"spec": {"replicas": 9}}, dry_run=True
    )
    assert dry["spec"]["replicas"] == 9
    json_patch = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    patched = await client.patch(
        DEPLOYMENTS, "shop", namespace, json_patch, patch_type=PatchType.JSON
    )
    assert patched["spec"]["replicas"] == 3
    containers = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "b"}]}}}}
    strategic = await client.patch(
        DEPLOYMENTS, "shop", namespace, containers, patch_type=PatchType.STRATEGIC
    )
    assert strategic["spec"]["template"]["spec"]["containers"][0]["image"] == "b"
    with pytest.raises(errors.Conflict):
        await client.replace(DEPLOYMENTS, made)
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    with pytest.raises(errors.Conflict):
        await client.patch(DEPLOYMENTS, "shop", namespace, stale)


async def test_scaling_holds_its_precondition(client: Client, namespace: str) -> None:
    made = await client.create(DEPLOYMENTS, a_deployment(replica_count=0), namespace)
    scaled = await client.scale(DEPLOYMENTS, "shop", namespace, 1)
    assert scaled["spec"]["replicas"] == 1
    version = made["metadata"]["resourceVersion"]
    with pytest.raises(errors.Conflict):
        await client.scale(DEPLOYMENTS, "shop", namespace, 2, resource_version=version)
    scale = await client.get(DEPLOYMENTS, "shop", namespace, subresource="scale")
    assert scale["spec"]["replicas"] == 1


async def test_an_apply_owns_its_fields_and_a_conflict_names_them(
    client: Client, namespace: str
) -> None:
    await client.apply(DEPLOYMENTS, a_deployment(), namespace, field_manager="kubectl")
    held = {"metadata": {"name": "shop"}, "spec": {"paused": True}}
    applied = await client.apply(DEPLOYMENTS, held, namespace, field_manager="serinus")
    assert applied["spec"]["paused"] is True
    assert applied["spec"]["replicas"] == 2
    fewer = {"metadata": {"name": "shop"}, "spec": {"replicas": 5}}
    with pytest.raises(errors.Conflict, match=r'"kubectl".*\.spec\.replicas') as caught:
        await client.apply(DEPLOYMENTS, fewer, namespace, field_manager="serinus")
    assert caught.value.details is not None
    assert caught.value.details["causes"][0]["field"] == ".spec.replicas"
    forced = await client.apply(DEPLOYMENTS, fewer, namespace, field_manager="serinus", force=True)
    assert forced["spec"]["replicas"] == 5
    # What is no longer named is given up.
    assert "paused" not in forced["spec"]


async def test_deletion_holds_its_preconditions_and_may_leave_the_dependents(
    client: Client, namespace: str
) -> None:
    made = await client.create(DEPLOYMENTS, a_deployment(), namespace)
    async with Cache(client, REPLICA_SETS, namespace) as sets:
        await until(sets, lambda: len(sets.items()) == 1)
        with pytest.raises(errors.Conflict):
            await client.delete(DEPLOYMENTS, "shop", namespace, uid="another")
        await client.delete(
            DEPLOYMENTS,
            "shop",
            namespace,
            uid=made["metadata"]["uid"],
            propagation=Propagation.ORPHAN,
        )
        await until(sets, lambda: "ownerReferences" not in sets.items()[0]["metadata"])
    # The finalizer goes when all dependents are free.
    async with Cache(client, DEPLOYMENTS, namespace) as deployments:
        await until(deployments, lambda: deployments.is_synced and not deployments.items())


async def test_an_invalid_object_is_told_field_by_field(client: Client, namespace: str) -> None:
    broken = a_deployment(replica_count=-1)
    broken["spec"]["template"]["spec"]["containers"][0]["name"] = "Not A Name"
    with pytest.raises(errors.Invalid) as caught:
        await client.create(DEPLOYMENTS, broken, namespace)
    assert caught.value.details is not None
    fields = {cause["field"] for cause in caught.value.details["causes"]}
    assert fields == {"spec.replicas", "spec.template.spec.containers[0].name"}
    assert all(field in str(caught.value) for field in fields)
    await client.create(CONFIG_MAPS, a_config_map("m"), namespace)
    nonsense = [{"op": "nonsense", "path": "/data"}]
    with pytest.raises(errors.Invalid):
        await client.patch(CONFIG_MAPS, "m", namespace, nonsense, patch_type=PatchType.JSON)


async def test_who_may_not_is_told_the_verb_and_the_resource(
    kubernetes: ControlPlane, client: Client, namespace: str
) -> None:
    async with Client(config.load(kubernetes.kubeconfig, "stranger")) as stranger:
        with pytest.raises(errors.Forbidden, match='cannot list resource "pods"'):
            await stranger.list(PODS, namespace)
    wrong = config.Connection(
        server=client.connection.server, ca=client.connection.ca, token="wrong"
    )
    async with Client(wrong) as nobody:
        with pytest.raises(errors.Unauthorized):
            await nobody.list(PODS, namespace)
    jane = config.load(kubernetes.kubeconfig, as_user="jane", as_groups=["system:authenticated"])
    async with Client(jane) as impersonated:
        with pytest.raises(errors.Forbidden, match='User "jane" cannot get'):
            await impersonated.get(PODS, "x", namespace)


async def test_a_name_or_a_kind_that_is_not_there_is_not_found(
    client: Client, namespace: str
) -> None:
    assert await client.find(DEPLOYMENTS, "missing", namespace) is None
    with pytest.raises(errors.NotFound):
        await client.raw("GET", "/apis/example.com/v1/routes")


async def test_a_collection_is_listed_in_chunks_at_one_version(
    client: Client, namespace: str
) -> None:
    for number in range(7):
        await client.create(CONFIG_MAPS, a_config_map(f"m{number}"), namespace)
    found = await client.list(CONFIG_MAPS, namespace, label_selector="test=yes", chunk_count=3)
    assert [m["metadata"]["name"] for m in found.items] == [f"m{n}" for n in range(7)]
    assert {(m["apiVersion"], m["kind"]) for m in found.items} == {("v1", "ConfigMap")}
    one = await client.list(CONFIG_MAPS, namespace, field_selector="metadata.name=m3")
    assert [m["metadata"]["name"] for m in one.items] == ["m3"]


ROUTES = Kind("example.com", "v1", "Route", "routes")
ROUTES_DEFINITION = {
    "metadata": {"name": "routes.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"plural": "routes", "singular": "route", "kind": "Route", "shortNames": ["rt"]},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }
        ],
    },
}


@pytest.fixture
async def routes(client: Client) -> AsyncIterator[Kind]:
    """A kind of our own, served from a moment on that lies after many versions."""
    await client.create(CUSTOM_RESOURCE_DEFINITIONS, ROUTES_DEFINITION)
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(errors.NotFound):
                await client.list(ROUTES)
                break
            await asyncio.sleep(0.05)
    yield ROUTES
    await client.delete(CUSTOM_RESOURCE_DEFINITIONS, "routes.example.com")
    async with Cache(client, CUSTOM_RESOURCE_DEFINITIONS) as definitions:
        await definitions.synced(10_000)
        await until(definitions, lambda: definitions.get("routes.example.com") is None)


async def test_a_watch_of_a_version_that_is_gone_says_so(client: Client, routes: Kind) -> None:
    stream = client.watch(routes, resource_version="1", timeout_ms=5_000)
    with pytest.raises(errors.Gone, match="too old resource version: 1"):
        await anext(stream)


async def test_an_own_kind_is_served_and_resolved(
    client: Client, routes: Kind, namespace: str
) -> None:
    await client.create(
        routes,
        {"apiVersion": "example.com/v1", "kind": "Route", "metadata": {"name": "a"}},
        namespace,
    )
    async with Cache(client, routes, namespace) as cache:
        await cache.synced(10_000)
        assert [r["metadata"]["name"] for r in cache.items()] == ["a"]
    found = await discovery.fetch(client)
    assert routes == found.resolve("rt") == found.resolve("routes.example.com")


async def test_a_watch_ends_when_it_was_told_to(client: Client, namespace: str) -> None:
    found = await client.list(CONFIG_MAPS, namespace)
    await client.create(CONFIG_MAPS, a_config_map("a"), namespace)
    stream = client.watch(
        CONFIG_MAPS, namespace, resource_version=found.resource_version, timeout_ms=1_000
    )
    seen = [(e.type, e.object["metadata"]["name"]) async for e in stream if e.type != "BOOKMARK"]
    assert seen == [("ADDED", "a")]


async def test_a_cache_follows_real_changes(client: Client, namespace: str) -> None:
    # A watch of two to four seconds: several of them, with bookmarks before their end.
    setting = CacheSetting(backoff=Backoff(first_ms=5, ceiling_ms=50), watch_timeout_ms=2_000)
    async with Cache(
        client, CONFIG_MAPS, namespace, label_selector="test=yes", setting=setting
    ) as cache:
        await cache.synced(10_000)
        for number in range(20):
            await client.create(CONFIG_MAPS, a_config_map(f"m{number:02}"), namespace)
        await until(cache, lambda: len(cache.items()) == 20)
        for number in range(0, 20, 2):
            await client.delete(CONFIG_MAPS, f"m{number:02}", namespace)
        unlabelled = {"metadata": {"labels": None}}
        await client.patch(CONFIG_MAPS, "m01", namespace, unlabelled)
        await until(cache, lambda: len(cache.items()) == 9)
        await asyncio.sleep(3)
        await client.patch(CONFIG_MAPS, "m03", namespace, {"data": {"late": "yes"}})
        await until(cache, lambda: (cache.get("m03") or {}).get("data") == {"late": "yes"})
        assert cache.stale_since_ms is None


async def test_what_the_controllers_write_is_read_in_structs(
    client: Client, namespace: str
) -> None:
    service = {
        "metadata": {"name": "shop"},
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": "web"}]},
    }
    await client.create(SERVICES, service, namespace)
    await client.create(DEPLOYMENTS, a_deployment(), namespace)
    async with (
        Cache(client, PODS, namespace, decode=objects.decoder(objects.Pod)) as pods,
        Cache(client, REPLICA_SETS, namespace, decode=objects.decoder(objects.ReplicaSet)) as sets,
        Cache(client, SERVICES, namespace, decode=objects.decoder(objects.Service)) as services,
        Cache(
            client, ENDPOINT_SLICES, namespace, decode=objects.decoder(objects.EndpointSlice)
        ) as slices,
    ):
        await until(pods, lambda: len(pods.items()) == 2)
        await until(slices, lambda: len(slices.items()) == 1)
        await services.synced(10_000)
        (replica_set,) = sets.items()
        assert {p.metadata.controller.uid for p in pods.items() if p.metadata.controller} == {
            replica_set.metadata.uid
        }
        assert {p.status.phase for p in pods.items()} == {"Pending"}
        assert replica_set.spec.replicas == 2
        assert replica_set.spec.template["spec"]["containers"][0]["name"] == "web"
        service_found = services.get("shop")
        assert service_found is not None
        assert service_found.spec.ports is not None
        assert service_found.spec.ports[0].target_port == "web"
        slice_found = slices.items()[0]
        assert (slice_found.metadata.labels or {})["kubernetes.io/service-name"] == "shop"


async def test_a_lease_is_held_by_one(client: Client, namespace: str) -> None:
    options = LeaseOptions(duration_ms=2_000, renew_deadline_ms=1_500, retry_period_ms=100)
    one = Lease(client, "shop", namespace, identity="one", options=options)
    two = Lease(client, "shop", namespace, identity="two", options=options)
    got = await asyncio.gather(one.try_acquire(), two.try_acquire())
    assert sorted(got) == [False, True]
    holder, other = (one, two) if got[0] else (two, one)
    assert not await other.acquire(2_500)
    assert holder.is_held
    assert await holder.release()
    assert await other.try_acquire()
    stored = await client.get(LEASES, "shop", namespace)
    assert stored["spec"]["holderIdentity"] == other.identity
    assert stored["spec"]["leaseTransitions"] >= 1
    await other.release()


async def test_names_are_resolved_as_by_kubectl(client: Client) -> None:
    found = await discovery.fetch(client)
    for name, kind in {
        "deploy": DEPLOYMENTS,
        "Deployment": DEPLOYMENTS,
        "rs": REPLICA_SETS,
        "po": PODS,
        "cm": CONFIG_MAPS,
        "svc": SERVICES,
        "leases.coordination.k8s.io": LEASES,
        "endpointslice": ENDPOINT_SLICES,
        "ns": NAMESPACES,
    }.items():
        assert found.resolve(name) == kind
    hpa = found.resolve("hpa")
    assert (hpa.group, hpa.version, hpa.plural) == ("autoscaling", "v2", "horizontalpodautoscalers")


async def test_the_old_form_of_discovery_says_the_same(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = await discovery.fetch(client)
    monkeypatch.setattr(discovery, "_FORMS", "application/json")
    old = await discovery.fetch(client)
    assert {r.kind for r in old.resources} == {r.kind for r in new.resources}


async def test_warnings_of_the_server_are_heard(connection: Connection, namespace: str) -> None:
    heard: list[str] = []
    async with Client(connection, on_warning=heard.append) as client:
        unknown = {**a_deployment(), "spec": {**a_deployment()["spec"], "replica": 1}}
        await client.create(DEPLOYMENTS, unknown, namespace)
    assert heard == ['unknown field "spec.replica"']


async def test_the_server_tells_its_version(client: Client) -> None:
    assert (await client.version())["gitVersion"].startswith("v1.")


async def test_logs_are_refused_in_words(client: Client, namespace: str) -> None:
    containers = [{"name": "web", "image": "x"}, {"name": "side", "image": "x"}]
    pod = {"metadata": {"name": "a"}, "spec": {"containers": containers}}
    await client.create(PODS, pod, namespace)
    with pytest.raises(errors.Invalid, match=r"choose one of: \[web side\]"):
        await anext(client.logs("a", namespace))
    # It is on no node yet, so there is nothing to read.
    assert [line async for line in client.logs("a", namespace, container="web")] == []
    with pytest.raises(errors.NotFound):
        await anext(client.logs("b", namespace))
