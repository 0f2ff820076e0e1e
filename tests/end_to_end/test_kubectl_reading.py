from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.end_to_end.kubectl_session import (
    STABLE,
    Kubectl,
    kubectl,
    kubectl_anywhere,
    local_cluster,
    wait_for,
)

__all__ = ["kubectl", "kubectl_anywhere", "local_cluster"]
pytestmark = pytest.mark.xdist_group("local-cluster")


def _settings(kubectl: Kubectl, *names: str) -> None:
    for name in names:
        kubectl("create", "configmap", name, f"--from-literal=who={name}")


@pytest.fixture
def stable(kubectl: Kubectl) -> Kubectl:
    """The classic example without its Service, whose node port is one for the whole cluster."""
    kubectl("apply", "-f", "-", given=Path(STABLE).read_text().partition("---")[0])
    kubectl("rollout", "status", "deployment/nginx-deployment", "--timeout=30s")
    return kubectl


def test_get_prints_the_columns_of_kubernetes(kubectl: Kubectl) -> None:
    _settings(kubectl, "one", "two")
    lines = kubectl("get", "configmaps").splitlines()
    assert lines[0].split() == ["NAME", "DATA", "AGE"]
    assert [line.split()[:2] for line in lines[1:]] == [["one", "1"], ["two", "1"]]


def test_get_says_one_object_as_yaml_json_jsonpath_and_custom_columns(kubectl: Kubectl) -> None:
    _settings(kubectl, "one")
    assert "who: one\n" in kubectl("get", "configmap", "one", "-o", "yaml")
    assert json.loads(kubectl("get", "cm/one", "-o", "json"))["data"] == {"who": "one"}
    assert kubectl("get", "cm", "one", "-o", "jsonpath={.data.who}") == "one"
    columns = "custom-columns=N:.metadata.name,W:.data.who"
    assert kubectl("get", "cm", "-o", columns).split() == ["N", "W", "one", "one"]
    assert kubectl("get", "cm", "-o", "name") == "configmap/one\n"


def test_get_chooses_by_labels_and_by_fields(kubectl: Kubectl) -> None:
    _settings(kubectl, "one", "two", "three")
    kubectl("label", "cm", "one", "two", "side=left")
    kubectl("label", "cm", "two", "track=canary")
    names = ("get", "cm", "-o", "name")
    assert kubectl(*names, "-l", "side=left").split() == ["configmap/one", "configmap/two"]
    assert kubectl(*names, "-l", "side=left,!track").split() == ["configmap/one"]
    assert kubectl(*names, "-l", "track in (canary,stable)").split() == ["configmap/two"]
    assert kubectl(*names, "-l", "side notin (left)").split() == ["configmap/three"]
    assert kubectl(*names, "--field-selector", "metadata.name!=one").split() == [
        "configmap/three",
        "configmap/two",
    ]
    refused = kubectl.fails("get", "cm", "--field-selector", "spec.who=me")
    assert "is not a known field selector" in refused


def test_get_reads_a_long_list_in_chunks(kubectl: Kubectl) -> None:
    names = [f"item-{index:02}" for index in range(12)]
    items = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in names
    ]
    document = {"apiVersion": "v1", "kind": "List", "items": items}
    kubectl("create", "-f", "-", given=json.dumps(document))
    done = kubectl.try_("get", "cm", "-o", "name", "--chunk-size=5", "-v=8")
    assert done.stdout.split() == [f"configmap/{name}" for name in names]
    requests = [line for line in done.stderr.splitlines() if "limit=5" in line and "GET" in line]
    assert len({re.search(r"continue=([^&\"\s]+)", line) is not None for line in requests}) == 2


def test_get_over_all_namespaces_shows_the_namespace(kubectl: Kubectl) -> None:
    _settings(kubectl, "here")
    lines = kubectl("get", "cm", "-A").splitlines()
    assert lines[0].split() == ["NAMESPACE", "NAME", "DATA", "AGE"]
    assert any(line.split()[:2] == [kubectl.namespace, "here"] for line in lines)


def test_get_watch_prints_what_comes_and_goes(kubectl: Kubectl) -> None:
    _settings(kubectl, "first")
    watching = kubectl.background("get", "cm", "-w", "--output-watch-events")
    assert watching.stdout is not None
    try:
        assert watching.stdout.readline().split() == ["EVENT", "NAME", "DATA", "AGE"]
        assert watching.stdout.readline().split()[:3] == ["ADDED", "first", "1"]
        _settings(kubectl, "second")
        assert watching.stdout.readline().split()[:3] == ["ADDED", "second", "1"]
        kubectl("patch", "cm", "second", "-p", '{"data":{"more":"x"}}')
        assert watching.stdout.readline().split()[:3] == ["MODIFIED", "second", "2"]
        kubectl("delete", "cm", "second")
        assert watching.stdout.readline().split()[:3] == ["DELETED", "second", "2"]
    finally:
        watching.terminate()
        watching.communicate(timeout=10)


def test_get_of_what_is_not_there_says_so(kubectl: Kubectl) -> None:
    assert kubectl.fails("get", "cm", "nobody") == (
        'Error from server (NotFound): configmaps "nobody" not found\n'
    )
    done = kubectl.try_("get", "cm")
    assert done.stderr == f"No resources found in {kubectl.namespace} namespace.\n"


def test_wide_tables_show_images_and_addresses(stable: Kubectl) -> None:
    head, row = stable("get", "deployments", "-o", "wide").splitlines()
    assert head.split() == [
        "NAME",
        "READY",
        "UP-TO-DATE",
        "AVAILABLE",
        "AGE",
        "CONTAINERS",
        "IMAGES",
        "SELECTOR",
    ]
    cells = row.split()
    assert cells[:4] == ["nginx-deployment", "3/3", "3", "3"]
    assert cells[5:] == ["nginx", "nginx:1.7.9", "app=nginx"]
    pods = stable("get", "pods", "-o", "wide").splitlines()
    assert pods[0].startswith("NAME ")
    assert all(line.split()[1:3] == ["1/1", "Running"] for line in pods[1:])
    assert all(re.search(r" 127\.\d+\.\d+\.\d+ ", line) for line in pods[1:])
    assert len(pods) == 4


def test_describe_tells_of_a_deployment_its_pods_and_its_service(stable: Kubectl) -> None:
    text = stable("describe", "deployment", "nginx-deployment")
    assert re.search(r"Replicas:\s+3 desired \| 3 updated \| 3 total \| 3 available", text)
    assert re.search(r"NewReplicaSet:\s+nginx-deployment-\w+ \(3/3 replicas created\)", text)
    assert "ScalingReplicaSet" in text
    pod = stable("get", "pods", "-o", "name").splitlines()[0]
    text = stable("describe", pod)
    assert re.search(r"Controlled By:\s+ReplicaSet/nginx-deployment-", text)
    assert re.search(r"Ready:\s+True", text)
    stable("create", "service", "clusterip", "web", "--tcp=80:80")
    stable("set", "selector", "service", "web", "app=nginx")
    wait_for(
        lambda: (
            len(re.findall(r"127\.\d+\.\d+\.\d+:\d+", stable("describe", "service", "web"))) >= 3
        ),
        "three endpoints",
    )
    text = stable("describe", "service", "web")
    assert re.search(r"Selector:\s+app=nginx", text)


def test_explain_knows_fields_and_their_types(kubectl: Kubectl) -> None:
    text = kubectl("explain", "deployment.spec.strategy.rollingUpdate")
    assert re.search(r"GROUP:\s+apps", text)
    assert "maxSurge\t<IntOrString>" in text
    assert "FIELD: replicas <integer>" in kubectl("explain", "deploy.spec.replicas")
    assert 'field "nonsense" does not exist' in kubectl.fails("explain", "deploy.spec.nonsense")
    recursive = kubectl("explain", "pod", "--recursive")
    assert "terminationGracePeriodSeconds" in recursive


def test_events_are_listed_and_chosen_by_their_object(stable: Kubectl) -> None:
    text = stable("events", "--for", "deployment/nginx-deployment")
    assert "ScalingReplicaSet" in text
    assert "Deployment/nginx-deployment" in text
    table = stable(
        "get",
        "events",
        "--field-selector",
        "involvedObject.kind=Deployment,involvedObject.name=nginx-deployment",
    )
    assert table.splitlines()[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert all("deployment/nginx-deployment" in line for line in table.splitlines()[1:])
    new_form = stable.object("events.events.k8s.io")
    assert {item["regarding"]["kind"] for item in new_form["items"]} >= {"Deployment"}


def test_the_resources_of_the_cluster_are_named(kubectl: Kubectl) -> None:
    lines = kubectl("api-resources", "--no-headers").splitlines()
    rows = {line.split()[0]: line.split() for line in lines}
    assert rows["deployments"] == ["deployments", "deploy", "apps/v1", "true", "Deployment"]
    assert rows["namespaces"][-2:] == ["false", "Namespace"]
    shown = kubectl("api-resources", "--verbs=list", "-o", "name").split()
    assert "selfsubjectaccessreviews.authorization.k8s.io" not in shown
    assert {"pods", "deployments.apps", "leases.coordination.k8s.io"} <= set(shown)
    versions = kubectl("api-versions").split()
    assert {"v1", "apps/v1", "policy/v1", "autoscaling/v2"} <= set(versions)


def test_version_and_cluster_info(kubectl: Kubectl) -> None:
    version = json.loads(kubectl("version", "-o", "json"))["serverVersion"]
    assert version["gitVersion"] == "v1.36.3+serinus"
    assert (version["major"], version["minor"]) == ("1", "36")
    text = re.sub(r"\x1b\[[0-9;]*m", "", kubectl("cluster-info"))
    assert re.search(r"control plane is running at https://127\.0\.0\.1:\d+", text)


def test_the_holder_of_the_token_may_do_everything(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "delete", "pods") == "yes\n"
    assert "serinus-admin" in kubectl("auth", "whoami")
    assert "*.*" in kubectl("auth", "can-i", "--list")
