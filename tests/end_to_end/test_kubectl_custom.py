from __future__ import annotations

import json

import pytest

from tests.end_to_end.kubectl_session import Kubectl, kubectl, kubectl_anywhere, local_cluster

__all__ = ["kubectl", "kubectl_anywhere", "local_cluster"]
pytestmark = pytest.mark.xdist_group("local-cluster")


def test_a_custom_resource_is_served_as_its_definition_says(kubectl: Kubectl) -> None:
    group = f"{kubectl.namespace}.example.org"
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "x-kubernetes-validations": [
                    {"rule": "self.size < 9 || self.colour == 'red'", "message": "big ones are red"}
                ],
                "properties": {
                    "size": {"type": "integer", "minimum": 1, "description": "How many."},
                    "colour": {"type": "string", "default": "red"},
                },
            }
        },
    }
    column = {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"boxes.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "boxes", "singular": "box", "kind": "Box", "shortNames": ["bx"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "additionalPrinterColumns": [column],
                }
            ],
        },
    }
    kubectl("apply", "-f", "-", given=json.dumps(definition))
    kubectl("wait", f"crd/boxes.{group}", "--for=condition=Established", "--timeout=10s")
    box = {
        "apiVersion": f"{group}/v1",
        "kind": "Box",
        "metadata": {"name": "one"},
        "spec": {"size": 3},
    }
    kubectl("apply", "-f", "-", given=json.dumps(box))
    lines = kubectl("get", f"boxes.{group}").splitlines()
    assert [line.split() for line in lines] == [["NAME", "SIZE"], ["one", "3"]]
    assert kubectl.object(f"boxes.{group}", "one")["spec"] == {"size": 3, "colour": "red"}
    bad = json.dumps({**box, "spec": {"size": 0}})
    assert "spec.size" in kubectl.fails("apply", "-f", "-", given=bad)
    blue = json.dumps({**box, "spec": {"size": 9, "colour": "blue"}})
    assert "big ones are red" in kubectl.fails("apply", "-f", "-", given=blue)
    unknown = json.dumps({**box, "spec": {"size": 3, "lid": True}})
    assert 'unknown field "spec.lid"' in kubectl.fails("apply", "-f", "-", given=unknown)
    assert "How many." in kubectl("explain", f"boxes.{group}.spec.size")
    kubectl("delete", "crd", f"boxes.{group}")
    assert "the server doesn't have a resource type" in kubectl.fails("get", f"boxes.{group}")
