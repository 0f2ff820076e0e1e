from __future__ import annotations

import json
from typing import Any

import pytest

from serinus import errors
from serinus.kube import requests
from serinus.kube.kinds import DEPLOYMENTS, NAMESPACES, NODES, PODS, Kind
from serinus.kube.requests import (
    DeleteOptions,
    LogOptions,
    PatchType,
    Propagation,
    Target,
    WriteOptions,
)

SHOP = Target(DEPLOYMENTS, "shop", "prod")
QUIET = WriteOptions()


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (SHOP, "/apis/apps/v1/namespaces/prod/deployments/shop"),
        (Target(PODS, "a", "x"), "/api/v1/namespaces/x/pods/a"),
        (Target(PODS, "a", "x", "log"), "/api/v1/namespaces/x/pods/a/log"),
        (Target(PODS), "/api/v1/pods"),
        (Target(PODS, namespace="x"), "/api/v1/namespaces/x/pods"),
        (Target(NODES, "n"), "/api/v1/nodes/n"),
        (Target(NODES, "n", "ignored"), "/api/v1/nodes/n"),
        (Target(NAMESPACES, "x", subresource="finalize"), "/api/v1/namespaces/x/finalize"),
        (Target(PODS, "a", "x", "proxy/b"), "/api/v1/namespaces/x/pods/a/proxy/b"),
        (Target(NODES, "a b:c"), "/api/v1/nodes/a%20b%3Ac"),
    ],
)
def test_a_target_has_the_path_of_the_api_server(target: Target, path: str) -> None:
    assert path == target.path


@pytest.mark.parametrize(
    "target",
    [
        Target(PODS, "a"),
        Target(PODS, "", "x"),
        Target(PODS, "..", "x"),
        Target(PODS, "a/b", "x"),
        Target(PODS, "a%2fb", "x"),
        Target(PODS, "a", "x/y"),
        Target(PODS, "a", "x", ".."),
    ],
)
def test_a_name_that_would_lead_elsewhere_is_refused(target: Target) -> None:
    with pytest.raises(errors.InvalidInput):
        _ = target.path


def test_a_page_of_a_list_is_asked_for_with_its_selectors() -> None:
    request = requests.list_page(
        Target(PODS, namespace="x"),
        label_selector="app=shop,track in (a,b)",
        field_selector="status.phase=Running",
        limit_count=5,
        continue_token="to/ken==",
    )
    assert request.target == (
        "/api/v1/namespaces/x/pods?labelSelector=app%3Dshop%2Ctrack+in+%28a%2Cb%29"
        "&fieldSelector=status.phase%3DRunning&limit=5&continue=to%2Fken%3D%3D"
    )
    assert request.is_read
    assert requests.list_page(Target(PODS)).target == "/api/v1/pods"


@pytest.mark.parametrize(
    ("timeout_ms", "seconds"), [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2")]
)
def test_a_watch_is_never_asked_for_without_an_end(timeout_ms: int, seconds: str) -> None:
    request = requests.watch(Target(PODS), resource_version="7", timeout_ms=timeout_ms)
    assert dict(request.query) == {
        "watch": "true",
        "resourceVersion": "7",
        "timeoutSeconds": seconds,
        "allowWatchBookmarks": "true",
    }


def test_a_create_goes_to_the_collection() -> None:
    body = {"metadata": {"name": "shop"}}
    request = requests.create(SHOP, body, WriteOptions("me", dry_run=True))
    assert ("POST", body) == (request.method, json.loads(request.body))
    assert request.target == "/apis/apps/v1/namespaces/prod/deployments?fieldManager=me&dryRun=All"
    assert not request.is_read
    assert request.what == 'create deployments.apps "shop" in namespace "prod"'


def test_a_create_of_a_subresource_names_its_object() -> None:
    request = requests.create(Target(PODS, "a", "x", "binding"), {}, QUIET)
    assert request.target == "/api/v1/namespaces/x/pods/a/binding"


def test_a_create_needs_a_namespace_where_the_kind_has_one() -> None:
    with pytest.raises(errors.InvalidInput, match="namespace"):
        requests.create(Target(PODS), {}, QUIET)
    assert requests.create(Target(NODES, "n"), {}, QUIET).target == "/api/v1/nodes"


@pytest.mark.parametrize(
    ("patch_type", "media_type"),
    [
        (PatchType.MERGE, "application/merge-patch+json"),
        (PatchType.JSON, "application/json-patch+json"),
        (PatchType.STRATEGIC, "application/strategic-merge-patch+json"),
        (PatchType.APPLY, "application/apply-patch+yaml"),
    ],
)
def test_a_patch_says_its_type(patch_type: PatchType, media_type: str) -> None:
    body: Any = [{"op": "add"}] if patch_type is PatchType.JSON else {"a": None}
    request = requests.patch(SHOP, body, patch_type, WriteOptions("me"))
    assert (("Content-Type", media_type),) == request.headers
    # A null in a merge patch deletes: it must arrive.
    assert body == json.loads(request.body)


def test_an_apply_needs_a_manager_and_may_be_forced() -> None:
    with pytest.raises(errors.InvalidInput, match="field manager"):
        requests.patch(SHOP, {}, PatchType.APPLY, QUIET)
    with pytest.raises(errors.InvalidInput, match="forced"):
        requests.patch(SHOP, {}, PatchType.MERGE, QUIET, force=True)
    request = requests.patch(SHOP, {}, PatchType.APPLY, WriteOptions("me"), force=True)
    assert request.query == (("fieldManager", "me"), ("force", "true"))


def test_a_deletion_carries_its_conditions() -> None:
    options = DeleteOptions(Propagation.ORPHAN, 0, uid="u", resource_version="7", dry_run=True)
    request = requests.delete(SHOP, options)
    assert json.loads(request.body) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Orphan",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u", "resourceVersion": "7"},
        "dryRun": ["All"],
    }
    assert DeleteOptions().body() == {"apiVersion": "v1", "kind": "DeleteOptions"}


def test_scaling_touches_the_scale_alone() -> None:
    request = requests.scale(SHOP, 0, resource_version="7", options=QUIET)
    assert request.target == "/apis/apps/v1/namespaces/prod/deployments/shop/scale"
    assert json.loads(request.body) == {
        "spec": {"replicas": 0},
        "metadata": {"resourceVersion": "7"},
    }


def test_logs_are_asked_for_with_what_is_wanted() -> None:
    options = LogOptions(
        "app", follow=True, previous=True, tail_count=0, since_s=5, timestamps=True
    )
    assert requests.logs("a", "x", options).target == (
        "/api/v1/namespaces/x/pods/a/log?container=app&follow=true&previous=true&tailLines=0"
        "&sinceSeconds=5&timestamps=true"
    )


def test_an_attempt_is_told_in_words() -> None:
    assert requests.get(SHOP).what == 'get deployments.apps "shop" in namespace "prod"'
    assert requests.list_page(Target(PODS)).what == "list pods"
    scaled = requests.scale(SHOP, 1, resource_version=None, options=QUIET)
    assert scaled.what == 'patch deployments.apps/scale "shop" in namespace "prod"'


def test_a_kind_knows_its_api_version() -> None:
    assert (PODS.api_version, DEPLOYMENTS.api_version) == ("v1", "apps/v1")
    assert Kind("example.com", "v1", "Route", "routes").resource == "routes.example.com"
