from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from serinus import errors
from serinus.kube import discovery
from serinus.kube.client import Client
from serinus.kube.discovery import Discovery, Resource
from serinus.kube.kinds import DEPLOYMENTS, PODS, Kind
from tests.unit.kube.api_server import ApiServer, failure

METRICS = Kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods")
ROUTES = Kind("example.com", "v1", "Route", "routes")
OLD_ROUTES = Kind("example.com", "v1beta1", "Route", "routes")
NODES = Kind("", "v1", "Node", "nodes", namespaced=False)

SERVED = Discovery((
    Resource(PODS, "pod", ("po",)),
    Resource(NODES, "node", ("no",)),
    Resource(DEPLOYMENTS, "deployment", ("deploy",)),
    Resource(ROUTES, "route"),
    Resource(OLD_ROUTES, "route"),
    Resource(METRICS),
))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pods", PODS),
        ("pod", PODS),
        ("po", PODS),
        ("Pod", PODS),
        ("PODS", PODS),
        ("deploy", DEPLOYMENTS),
        ("deployments.apps", DEPLOYMENTS),
        ("deployment.v1.apps", DEPLOYMENTS),
        ("Deployment.apps", DEPLOYMENTS),
        ("pods.metrics.k8s.io", METRICS),
        ("pods.v1beta1.metrics.k8s.io", METRICS),
        ("podmetrics", METRICS),
        ("routes", ROUTES),
        ("routes.v1beta1.example.com", OLD_ROUTES),
        ("pods.v1.", PODS),
        ("no", NODES),
    ],
)
def test_a_name_means_what_it_means_to_kubectl(name: str, kind: Kind) -> None:
    assert SERVED.resolve(name) == kind


@pytest.mark.parametrize("name", ["", ".", "pods.apps", "routes.v2.example.com", "deploys", "x"])
def test_a_name_that_nothing_has_is_refused(name: str) -> None:
    with pytest.raises(errors.UnknownName):
        SERVED.resolve(name)


def test_what_was_perhaps_meant_is_told() -> None:
    with pytest.raises(errors.UnknownName, match=r"known: deployments\.apps") as caught:
        SERVED.resolve("deployments.extensions")
    assert caught.value.exit_code == 2
    with pytest.raises(errors.UnknownName, match=r"known: deployments\.apps"):
        SERVED.resolve("deploymentz")


# The answers below have the form of a kube-apiserver 1.36, shortened.


def _group(name: str, *versions: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": None}, "versions": list(versions)}


def _resource(kind: Kind, **more: Any) -> dict[str, Any]:
    return {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.kind.lower(),
        "verbs": ["get", "list"],
        **more,
    }


AGGREGATED: dict[str, Any] = {
    "/api": [
        _group("", {"version": "v1", "freshness": "Current", "resources": [
            _resource(
                PODS, shortNames=["po"], categories=["all"], subresources=[{"subresource": "log"}]
            ),
            _resource(NODES, shortNames=["no"]),
        ]}),
    ],
    "/apis": [
        _group(
            "apps", {"version": "v1", "resources": [_resource(DEPLOYMENTS, shortNames=["deploy"])]}
        ),
        _group("example.com",
               {"version": "v1", "resources": [_resource(ROUTES)]},
               {"version": "v1beta1", "resources": [_resource(OLD_ROUTES)]}),
        # An aggregated API whose server is down.
        _group("metrics.k8s.io", {"version": "v1beta1", "freshness": "Stale"}),
    ],
}  # fmt: skip


def _old(group_version: str, *kinds: Kind) -> dict[str, Any]:
    resources = [
        {
            "name": kind.plural,
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": ["get", "list"],
        }
        for kind in kinds
    ]
    resources.append({**resources[0], "name": f"{kinds[0].plural}/status"})
    return {"kind": "APIResourceList", "groupVersion": group_version, "resources": resources}


OLD: dict[str, Any] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": _old("v1", PODS, NODES),
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "example.com",
                "versions": [
                    {"groupVersion": "example.com/v1beta1", "version": "v1beta1"},
                    {"groupVersion": "example.com/v1", "version": "v1"},
                ],
                "preferredVersion": {"groupVersion": "example.com/v1", "version": "v1"},
            },
            {
                "name": "metrics.k8s.io",
                "versions": [{"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}],
            },
        ],
    },
    "/apis/example.com/v1": _old("example.com/v1", ROUTES),
    "/apis/example.com/v1beta1": _old("example.com/v1beta1", OLD_ROUTES),
}


async def test_all_is_learned_from_two_requests(server: ApiServer, client: Client) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        items = AGGREGATED[request.path]
        return web.json_response({"kind": "APIGroupDiscoveryList", "items": items})

    server.next_answers.extend([answer, answer])
    found = await discovery.fetch(client)
    assert [r.kind for r in found.resources] == [PODS, NODES, DEPLOYMENTS, ROUTES, OLD_ROUTES]
    assert found.resources[0] == Resource(PODS, "pod", ("po",), ("get", "list"), ("all",))
    assert found.resolve("routes") == ROUTES
    assert len(server.requests) == 2
    assert all("APIGroupDiscoveryList" in r.headers["Accept"] for r in server.requests)


async def test_a_server_that_knows_only_the_old_form_is_asked_in_it(
    server: ApiServer, client: Client
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path not in OLD:
            return failure(503, "ServiceUnavailable", "service unavailable")
        return web.json_response(OLD[request.path])

    server.next_answers.extend([answer] * 6)
    found = await discovery.fetch(client)
    # The preferred version goes first; what is down is left out, and so are subresources.
    assert [r.kind for r in found.resources] == [PODS, NODES, ROUTES, OLD_ROUTES]
    assert found.resolve("route") == ROUTES
    assert not found.resolve("nodes").namespaced


async def test_an_answer_that_is_no_discovery_is_told(server: ApiServer, client: Client) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"<html>")

    server.next_answers.extend([answer, answer])
    with pytest.raises(errors.Unavailable, match="/api"):
        await discovery.fetch(client)
