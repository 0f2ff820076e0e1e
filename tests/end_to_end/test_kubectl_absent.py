"""What is not part of the local cluster says so, and says what there is instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.end_to_end.kubectl_session import Kubectl, kubectl, kubectl_anywhere, local_cluster

__all__ = ["kubectl", "kubectl_anywhere", "local_cluster"]
pytestmark = pytest.mark.xdist_group("local-cluster")

INGRESS: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "shop"},
}


def _pod(kubectl: Kubectl) -> str:
    kubectl("run", "shop", "--image=nginx:1.7.9", "--restart=Never")
    kubectl("wait", "pod/shop", "--for=condition=Ready", "--timeout=30s")
    return "shop"


def test_an_unknown_kind_cannot_be_applied(kubectl: Kubectl) -> None:
    said = kubectl.fails("apply", "-f", "-", given=json.dumps(INGRESS))
    assert 'no matches for kind "Ingress" in version "networking.k8s.io/v1"' in said
    assert "the server doesn't have a resource type" in kubectl.fails("get", "ingresses")


def test_an_unknown_path_names_the_kinds_that_there_are(kubectl: Kubectl) -> None:
    said = kubectl.fails("get", "--raw", "/apis/networking.k8s.io/v1/ingresses")
    assert "deployments.apps" in said
    assert "the kinds that it knows are" in said


def test_an_ingress_in_protobuf_is_refused(kubectl: Kubectl) -> None:
    said = kubectl.fails("create", "ingress", "shop", "--rule=shop.example/*=shop:80")
    assert "could not find the requested resource" in said or "the kinds that it knows are" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("exec", "shop", "--", "ls"), "exec is not part of the local cluster"),
        (("attach", "shop"), "attach is not part of the local cluster"),
        (("port-forward", "pod/shop", ":80"), "port-forward is not part of the local cluster"),
    ],
)
def test_streams_into_pods_are_refused_with_what_to_do(
    kubectl: Kubectl, arguments: tuple[str, ...], words: str
) -> None:
    _pod(kubectl)
    done = kubectl.try_(*arguments)
    assert done.returncode != 0
    assert words in done.stderr + done.stdout


def test_metrics_are_not_there(kubectl: Kubectl) -> None:
    assert "Metrics API not available" in kubectl.fails("top", "pods")


def test_the_time_of_a_line_is_not_known(kubectl: Kubectl) -> None:
    _pod(kubectl)
    said = kubectl.fails("logs", "shop", "--timestamps")
    assert "does not keep the time of each line" in said
