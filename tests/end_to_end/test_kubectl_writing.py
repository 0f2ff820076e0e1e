from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.kubectl_session import Kubectl, kubectl, kubectl_anywhere, local_cluster

__all__ = ["kubectl", "kubectl_anywhere", "local_cluster"]
pytestmark = pytest.mark.xdist_group("local-cluster")


def _deployment(image: str = "nginx:1.7.9", replicas: int | None = 0, **spec: Any) -> str:
    labels = {"app": "shop"}
    document = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
            **({} if replicas is None else {"replicas": replicas}),
            **spec,
        },
    }
    return yaml.safe_dump(document)


def _image(kubectl: Kubectl) -> str:
    return kubectl(
        "get", "deployment", "shop", "-o", "jsonpath={.spec.template.spec.containers[0].image}"
    )


def test_apply_creates_then_leaves_unchanged_then_configures(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", given=_deployment()) == "deployment.apps/shop created\n"
    before = kubectl.object("deployment", "shop")
    assert kubectl("apply", "-f", "-", given=_deployment()) == "deployment.apps/shop unchanged\n"
    assert (
        kubectl.object("deployment", "shop")["metadata"]["resourceVersion"]
        == (before["metadata"]["resourceVersion"])
    )
    said = kubectl("apply", "-f", "-", given=_deployment("nginx:1.8.0"))
    assert said == "deployment.apps/shop configured\n"
    assert _image(kubectl) == "nginx:1.8.0"


def test_apply_removes_what_the_file_no_longer_has_and_keeps_what_others_set(
    kubectl: Kubectl,
) -> None:
    kubectl("apply", "-f", "-", given=_deployment(minReadySeconds=7))
    kubectl("scale", "deployment/shop", "--replicas=1")
    kubectl("annotate", "deployment/shop", "team=green")
    kubectl("apply", "-f", "-", given=_deployment(replicas=None))
    found = kubectl.object("deployment", "shop")
    assert "minReadySeconds" not in found["spec"]
    assert found["metadata"]["annotations"]["team"] == "green"


def test_apply_refuses_unknown_fields_with_their_path(kubectl: Kubectl) -> None:
    said = kubectl.fails("apply", "-f", "-", given=_deployment(replicaz=3))
    assert 'unknown field "spec.replicaz"' in said
    assert "NotFound" in kubectl.fails("get", "deployment", "shop")


def test_apply_refuses_an_invalid_object_with_the_field(kubectl: Kubectl) -> None:
    said = kubectl.fails("apply", "-f", "-", given=_deployment(replicas=-1))
    assert 'The Deployment "shop" is invalid: spec.replicas: Invalid value: -1' in said


def test_server_side_apply_owns_fields_and_conflicts_until_forced(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    said = kubectl(*apply, "--field-manager=one", given=_deployment("nginx:1.7.9"))
    assert said == "deployment.apps/shop serverside-applied\n"
    refused = kubectl.fails(*apply, "--field-manager=two", given=_deployment("nginx:1.8.0"))
    assert 'conflict with "one"' in refused
    assert '.spec.template.spec.containers[name="web"].image' in refused
    assert _image(kubectl) == "nginx:1.7.9"
    kubectl(*apply, "--field-manager=two", "--force-conflicts", given=_deployment("nginx:1.8.0"))
    assert _image(kubectl) == "nginx:1.8.0"
    fields = kubectl("get", "deployment", "shop", "--show-managed-fields", "-o", "json")
    managers = {entry["manager"] for entry in json.loads(fields)["metadata"]["managedFields"]}
    assert {"one", "two"} <= managers


def test_diff_shows_what_apply_would_change_and_changes_nothing(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", given=_deployment())
    assert kubectl("diff", "-f", "-", given=_deployment()) == ""
    done = kubectl.try_("diff", "-f", "-", given=_deployment("nginx:1.8.0"))
    assert done.returncode == 1
    assert "-      - image: nginx:1.7.9\n+      - image: nginx:1.8.0\n" in done.stdout
    assert _image(kubectl) == "nginx:1.7.9"
    done = kubectl.try_("diff", "--server-side", "-f", "-", given=_deployment(replicas=2))
    assert "+  replicas: 2" in done.stdout


def test_a_dry_run_on_the_server_changes_nothing(kubectl: Kubectl) -> None:
    said = kubectl("apply", "--dry-run=server", "-f", "-", given=_deployment())
    assert said == "deployment.apps/shop created (server dry run)\n"
    assert "NotFound" in kubectl.fails("get", "deployment", "shop")


def test_imperative_create_sends_protobuf_and_is_understood(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "shop", "--image=nginx:1.7.9", "--replicas=2", "--port=80")
    spec = kubectl.object("deployment", "shop")["spec"]
    container = spec["template"]["spec"]["containers"][0]
    assert spec["replicas"] == 2
    assert (container["image"], container["ports"][0]["containerPort"]) == ("nginx:1.7.9", 80)
    kubectl("create", "configmap", "settings", "--from-literal=a=1", "--from-literal=b=")
    assert kubectl.object("configmap", "settings")["data"] == {"a": "1", "b": ""}
    kubectl("create", "secret", "generic", "key", "--from-literal=k=v")
    assert kubectl.object("secret", "key")["data"] == {"k": "dg=="}
    kubectl("create", "service", "nodeport", "shop", "--tcp=80:http")
    port = kubectl.object("service", "shop")["spec"]["ports"][0]
    assert (port["port"], port["targetPort"]) == (80, "http")
    assert 30000 <= port["nodePort"] < 32768
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "role", "reader", "--verb=get", "--resource=pods")
    kubectl("create", "rolebinding", "reads", "--role=reader", "--user=jane")
    assert "Role/reader" in kubectl("get", "rolebinding", "reads")
    kubectl("create", "poddisruptionbudget", "shop", "--selector=app=shop", "--min-available=50%")
    assert kubectl.object("pdb", "shop")["spec"]["minAvailable"] == "50%"
    kubectl("autoscale", "deployment/shop", "--min=1", "--max=4", "--cpu=80%")
    assert kubectl.object("hpa", "shop")["spec"]["maxReplicas"] == 4


def test_create_refuses_a_name_that_is_taken(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a")
    assert kubectl.fails("create", "configmap", "a") == (
        'error: failed to create configmap: configmaps "a" already exists\n'
    )
    kubectl("create", "-f", "-", given=_deployment())
    said = kubectl.fails("create", "-f", "-", given=_deployment())
    assert 'deployments.apps "shop" already exists' in said


def test_replace_puts_a_whole_object_in_place(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", given=_deployment(minReadySeconds=5))
    before = kubectl.object("deployment", "shop")["metadata"]
    kubectl("replace", "-f", "-", given=_deployment("nginx:1.8.0"))
    after = kubectl.object("deployment", "shop")
    assert after["metadata"]["uid"] == before["uid"]
    assert after["metadata"]["generation"] == before["generation"] + 1
    assert "minReadySeconds" not in after["spec"]
    old = json.dumps({**after, "metadata": {**after["metadata"], "resourceVersion": "1"}})
    said = kubectl.fails("replace", "-f", "-", given=old)
    assert "the object has been modified" in said
    kubectl("replace", "--force", "-f", "-", given=_deployment())
    assert kubectl.object("deployment", "shop")["metadata"]["uid"] != before["uid"]


def test_patch_takes_three_kinds_and_subresources(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", given=_deployment())
    named = {"containers": [{"name": "web", "image": "nginx:1.8.0"}]}
    strategic = {"spec": {"template": {"spec": named}}}
    kubectl("patch", "deployment", "shop", "-p", json.dumps(strategic))
    assert _image(kubectl) == "nginx:1.8.0"
    kubectl("patch", "deployment", "shop", "--type=merge", "-p", '{"spec":{"minReadySeconds":3}}')
    json_patch = [
        {"op": "test", "path": "/spec/minReadySeconds", "value": 3},
        {"op": "replace", "path": "/spec/minReadySeconds", "value": 4},
    ]
    kubectl("patch", "deployment", "shop", "--type=json", "-p", json.dumps(json_patch))
    assert kubectl.object("deployment", "shop")["spec"]["minReadySeconds"] == 4
    kubectl(
        "patch", "deployment", "shop", "--subresource=scale", "--type=merge",
        "-p", '{"spec":{"replicas":0}}',
    )  # fmt: skip
    condition = {"type": "Tested", "status": "True", "reason": "Patch", "message": "x"}
    kubectl(
        "patch", "deployment", "shop", "--subresource=status", "--type=merge",
        "-p", json.dumps({"status": {"conditions": [condition]}, "spec": {"minReadySeconds": 9}}),
    )  # fmt: skip
    assert kubectl.object("deployment", "shop")["spec"]["minReadySeconds"] == 4
    assert "replicas" in kubectl("get", "deployment", "shop", "--subresource=scale", "-o", "yaml")
    said = kubectl("patch", "deployment", "shop", "-p", "{}")
    assert said == "deployment.apps/shop patched (no change)\n"


def test_label_and_annotate_add_change_and_remove(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a")
    kubectl("label", "cm", "a", "side=left")
    assert "--overwrite is false" in kubectl.fails("label", "cm", "a", "side=right")
    kubectl("label", "cm", "a", "side=right", "--overwrite")
    assert kubectl.object("cm", "a")["metadata"]["labels"] == {"side": "right"}
    kubectl("label", "cm", "a", "side-")
    kubectl("annotate", "cm", "--all", "note=x")
    metadata = kubectl.object("cm", "a")["metadata"]
    assert "labels" not in metadata
    assert metadata["annotations"] == {"note": "x"}


def test_delete_by_name_by_label_and_by_file(kubectl: Kubectl, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        kubectl("create", "configmap", name)
    kubectl("label", "cm", "b", "c", "go=yes")
    kubectl("delete", "cm", "a")
    assert kubectl("get", "cm", "-o", "name").split() == ["configmap/b", "configmap/c"]
    kubectl("delete", "cm", "-l", "go=yes")
    assert kubectl("get", "cm", "-o", "name") == ""
    file = tmp_path / "shop.yaml"
    file.write_text(_deployment())
    kubectl("create", "-f", str(file))
    assert kubectl("delete", "-f", str(file)).startswith('deployment.apps "shop" deleted')
    assert "NotFound" in kubectl.fails("delete", "-f", str(file))
    assert kubectl("delete", "-f", str(file), "--ignore-not-found") == ""
