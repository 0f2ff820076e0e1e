"""Clients that others wrote work against the local cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import kubernetes
import lightkube
import pytest
from kubernetes.dynamic import DynamicClient
from lightkube.core.exceptions import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import PatchType

from tests.end_to_end.kubectl_session import Kubectl, kubectl, kubectl_anywhere, local_cluster

__all__ = ["kubectl", "kubectl_anywhere", "local_cluster"]
pytestmark = pytest.mark.xdist_group("local-cluster")


@pytest.fixture
def official(kubectl: Kubectl) -> Iterator[kubernetes.client.ApiClient]:
    # The client's own code has no annotations.
    new: Any = kubernetes.config.new_client_from_config
    client: Any = new(config_file=str(kubectl.kubeconfig))
    yield client
    client.close()


def _deployment(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "nginx:1.7.9"}]},
            },
        },
    }


def test_the_official_client_reads_writes_watches_and_reads_logs(
    official: kubernetes.client.ApiClient, kubectl: Kubectl
) -> None:
    space = kubectl.namespace
    # The clients' own annotations call nearly every field optional.
    apps: Any = kubernetes.client.AppsV1Api(official)
    core: Any = kubernetes.client.CoreV1Api(official)
    apps.create_namespaced_deployment(space, _deployment("shop"))
    new_watch: Any = kubernetes.watch.Watch
    watch = new_watch()
    stream = watch.stream(apps.list_namespaced_deployment, space, timeout_seconds=30)
    with contextlib.closing(stream):
        for event in stream:
            if (event["object"].status.available_replicas or 0) == 1:
                break
    shop = apps.read_namespaced_deployment("shop", space)
    assert shop.status.ready_replicas == 1
    shop.spec.template.spec.containers[0].image = "nginx:1.8.0"
    assert apps.replace_namespaced_deployment("shop", space, shop).metadata.generation == 2
    scale = apps.patch_namespaced_deployment_scale("shop", space, {"spec": {"replicas": 2}})
    assert scale.spec.replicas == 2
    running = core.list_namespaced_pod(space, field_selector="status.phase=Running")
    first = running.items[0]
    assert isinstance(core.read_namespaced_pod_log(first.metadata.name, space), str)
    page = core.list_namespaced_pod(space, limit=1)
    assert len(page.items) == 1
    gone = apps.delete_namespaced_deployment("shop", space, propagation_policy="Foreground")
    assert gone is not None
    with pytest.raises(kubernetes.client.ApiException) as refused:
        core.read_namespaced_config_map("nobody", space)
    assert refused.value.status == 404


def test_the_official_dynamic_client_discovers_and_applies(
    official: kubernetes.client.ApiClient,
    kubectl: Kubectl,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("discovery")))
    cache = str(tmp_path_factory.mktemp("cache") / "discovery.json")
    dynamic_client: Any = DynamicClient
    dynamic = dynamic_client(official, cache_file=cache)
    resource = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    made = resource.server_side_apply(
        body=_deployment("shop"), namespace=kubectl.namespace, name="shop", field_manager="tester"
    )
    assert made.metadata.managedFields[0].manager == "tester"
    assert resource.get(name="shop", namespace=kubectl.namespace).spec.replicas == 1


def test_lightkube_reads_writes_applies_and_watches(kubectl: Kubectl) -> None:
    config = lightkube.KubeConfig.from_file(str(kubectl.kubeconfig))
    client: Any = lightkube.Client(
        config=config, namespace=kubectl.namespace, field_manager="light"
    )
    try:
        made = client.create(ConfigMap(metadata=ObjectMeta(name="a"), data={"x": "1"}))
        made.data = {"x": "2"}
        assert client.replace(made).data == {"x": "2"}
        patched = client.patch(ConfigMap, "a", {"data": {"y": "1"}}, patch_type=PatchType.MERGE)
        assert patched.data == {"x": "2", "y": "1"}
        shop = Deployment.from_dict(_deployment("shop"))
        assert client.apply(shop).metadata.managedFields[0].manager == "light"
        scale = client.get(Deployment.Scale, "shop")
        scale.spec.replicas = 2
        assert client.replace(scale).spec.replicas == 2
        stream = client.watch(Pod, labels={"app": "shop"}, server_timeout=30)
        with contextlib.closing(stream):
            for operation, pod in stream:
                if operation == "MODIFIED" and pod.status and pod.status.phase == "Running":
                    break
        assert [item.metadata.name for item in client.list(ConfigMap)] == ["a"]
        client.delete(ConfigMap, "a")
        with pytest.raises(ApiError) as refused:
            client.get(ConfigMap, "a")
        assert refused.value.status.code == 404
    finally:
        client.close()
