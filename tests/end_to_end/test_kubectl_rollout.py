from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.kubectl_session import (
    CANARY,
    STABLE,
    Kubectl,
    kubectl,
    kubectl_anywhere,
    local_cluster,
    wait_for,
)

__all__ = ["kubectl", "kubectl_anywhere", "local_cluster"]
pytestmark = pytest.mark.xdist_group("local-cluster")

IMAGE = "jsonpath={.spec.template.spec.containers[0].image}"


@pytest.fixture
def shop(kubectl: Kubectl) -> Kubectl:
    kubectl("create", "deployment", "shop", "--image=nginx:1.7.9", "--replicas=2")
    kubectl("rollout", "status", "deployment/shop", "--timeout=30s")
    return kubectl


def _pods(kubectl: Kubectl) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = kubectl.object("pods")["items"]
    return items


def test_the_classic_example_runs_unmodified(kubectl_anywhere: Kubectl) -> None:
    kubectl_anywhere("apply", "-f", STABLE)
    kubectl_anywhere("apply", "-f", CANARY)
    for name in ("nginx-deployment", "nginx-deployment-canary"):
        kubectl_anywhere("rollout", "status", f"deployment/{name}", "--timeout=30s")
    lines = kubectl_anywhere("get", "deployments").splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [
        ["nginx-deployment", "3/3", "3", "3"],
        ["nginx-deployment-canary", "1/1", "1", "1"],
    ]

    def addresses() -> set[str]:
        slices = kubectl_anywhere.object(
            "endpointslices", "-l", "kubernetes.io/service-name=nginx-service"
        )["items"]
        return {a for s in slices for e in s.get("endpoints") or () for a in e["addresses"]}

    wait_for(lambda: len(addresses()) == 4, "four endpoints")
    assert "80:32600/TCP" in kubectl_anywhere("get", "service", "nginx-service")
    kubectl_anywhere("delete", "-f", CANARY, "-f", STABLE)
    wait_for(lambda: _pods(kubectl_anywhere) == [], "no pods")


def test_a_new_image_rolls_out_and_its_history_is_told(shop: Kubectl) -> None:
    shop("annotate", "deployment/shop", "kubernetes.io/change-cause=first")
    shop("set", "image", "deployment/shop", "nginx=nginx:1.8.0")
    said = shop("rollout", "status", "deployment/shop", "--timeout=30s")
    assert 'deployment "shop" successfully rolled out' in said
    images = {pod["spec"]["containers"][0]["image"] for pod in _pods(shop)
              if "deletionTimestamp" not in pod["metadata"]}  # fmt: skip
    assert images == {"nginx:1.8.0"}
    history = shop("rollout", "history", "deployment/shop")
    assert re.search(r"^1\s+first$", history, re.MULTILINE)
    assert "nginx:1.7.9" in shop("rollout", "history", "deployment/shop", "--revision=1")
    shop("rollout", "undo", "deployment/shop")
    shop("rollout", "status", "deployment/shop", "--timeout=30s")
    assert shop("get", "deployment", "shop", "-o", IMAGE) == "nginx:1.7.9"
    revisions = re.findall(r"^(\d+) ", shop("rollout", "history", "deployment/shop"), re.MULTILINE)
    assert revisions == ["2", "3"]


def test_a_paused_rollout_waits_for_resume(shop: Kubectl) -> None:
    shop("rollout", "pause", "deployment/shop")
    shop("set", "env", "deployment/shop", "COLOUR=red")
    wait_for(
        lambda: (
            shop.object("deployment", "shop")["status"].get("observedGeneration")
            == shop.object("deployment", "shop")["metadata"]["generation"]
        ),
        "the controller has seen it",
    )
    assert len(shop.object("replicasets")["items"]) == 1
    shop("rollout", "resume", "deployment/shop")
    shop("rollout", "status", "deployment/shop", "--timeout=30s")
    assert len(shop.object("replicasets")["items"]) == 2
    assert "COLOUR=red" in shop("set", "env", "deployment/shop", "--list")


def test_restart_replaces_every_pod(shop: Kubectl) -> None:
    before = {pod["metadata"]["uid"] for pod in _pods(shop)}
    shop("rollout", "restart", "deployment/shop")
    shop("rollout", "status", "deployment/shop", "--timeout=30s")
    living = {p["metadata"]["uid"] for p in _pods(shop) if "deletionTimestamp" not in p["metadata"]}
    assert len(living) == 2
    assert not before & living


def test_scale_checks_what_there_is_now(shop: Kubectl) -> None:
    said = shop.fails("scale", "deployment/shop", "--current-replicas=5", "--replicas=1")
    assert "Expected replicas to be 5, was 2" in said
    shop("scale", "deployment/shop", "--replicas=3")
    shop("wait", "deployment/shop", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=30s")
    assert len(_pods(shop)) == 3


def test_wait_ends_by_condition_and_by_deletion(shop: Kubectl) -> None:
    said = shop("wait", "deployment/shop", "--for=condition=Available", "--timeout=10s")
    assert said == "deployment.apps/shop condition met\n"
    assert "timed out" in shop.fails(
        "wait", "deployment/shop", "--for=condition=Nonsense", "--timeout=1s"
    )
    name = _pods(shop)[0]["metadata"]["name"]
    # The pod's server goes on for two seconds after TERM: time enough to wait for.
    shop("delete", "pod", name, "--wait=false")
    said = shop("wait", f"pod/{name}", "--for=delete", "--timeout=20s")
    assert said == f"pod/{name} condition met\n"
    assert "NotFound" in shop.fails("get", "pod", name)


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_deleting_a_deployment_takes_its_pods_along(shop: Kubectl, cascade: str) -> None:
    shop("delete", "deployment", "shop", f"--cascade={cascade}")
    wait_for(lambda: shop.object("replicasets")["items"] == [], "no ReplicaSet")
    wait_for(lambda: _pods(shop) == [], "no pods")


def test_deleting_a_deployment_may_leave_its_orphans(shop: Kubectl) -> None:
    before = {pod["metadata"]["uid"] for pod in _pods(shop)}
    shop("delete", "deployment", "shop", "--cascade=orphan")
    (replica_set,) = shop.object("replicasets")["items"]
    assert "ownerReferences" not in replica_set["metadata"]
    assert {pod["metadata"]["uid"] for pod in _pods(shop)} == before


def test_a_pod_may_be_deleted_at_once(shop: Kubectl) -> None:
    name = _pods(shop)[0]["metadata"]["name"]
    shop("delete", "pod", name, "--grace-period=0", "--force")
    assert "NotFound" in shop.fails("get", "pod", name)
    shop("wait", "deployment/shop", "--for=jsonpath={.status.readyReplicas}=2", "--timeout=30s")


def test_delete_waits_for_pods_that_take_their_time(kubectl: Kubectl) -> None:
    script = "trap 'sleep 1; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    kubectl("run", "slow", "--image=any", "--restart=Never", "--command", "--", "sh", "-c", script)
    kubectl("wait", "pod/slow", "--for=condition=Ready", "--timeout=30s")
    wait_for(lambda: kubectl("logs", "slow") == "up\n", "the trap is set")
    began = time.monotonic()
    kubectl("delete", "pod", "slow", "--wait=true")
    assert time.monotonic() - began >= 0.9
    assert _pods(kubectl) == []


def test_logs_show_follow_and_remember(kubectl: Kubectl, tmp_path: Path) -> None:
    script = "for i in 1 2 3 4 5; do echo line $i; done; sleep 1; echo last"
    kubectl("run", "talker", "--image=any", "--restart=Never", "--labels=app=talk", "--command",
            "--", "sh", "-c", script)  # fmt: skip
    kubectl("wait", "pod/talker", "--for=jsonpath={.status.phase}=Running", "--timeout=30s")
    followed = kubectl("logs", "-f", "talker")
    assert followed == "line 1\nline 2\nline 3\nline 4\nline 5\nlast\n"
    assert kubectl("logs", "talker", "--tail=2") == "line 5\nlast\n"
    assert kubectl("logs", "talker", "--limit-bytes=6") == "line 1"
    assert kubectl("logs", "-l", "app=talk", "--tail=1", "--prefix") == "[pod/talker/talker] last\n"
    assert kubectl("logs", "talker", "--since=1h").endswith("last\n")
    assert "previous terminated container" in kubectl.fails("logs", "talker", "--previous")
    seen = tmp_path / "seen"
    script = f"[ -e {seen} ] && echo second && exec sleep 60; echo first; touch {seen}"
    kubectl("run", "fragile", "--image=any", "--command", "--", "sh", "-c", script)

    def restarted() -> bool:
        pod = kubectl.object("pod", "fragile")
        statuses = pod.get("status", {}).get("containerStatuses") or [{}]
        return bool(statuses[0].get("restartCount"))

    wait_for(restarted, "a restart")
    assert kubectl("logs", "fragile", "--previous") == "first\n"


def test_a_change_is_seen_while_the_status_is_watched(shop: Kubectl) -> None:
    watching = shop.background("rollout", "status", "deployment/shop", "--watch")
    out, _ = watching.communicate(timeout=20)
    assert "successfully rolled out" in out
    table = shop.background("get", "deployment", "shop", "-w", "--no-headers")
    assert table.stdout is not None
    try:
        assert table.stdout.readline().split()[:2] == ["shop", "2/2"]
        shop("scale", "deployment/shop", "--replicas=3")
        seen: list[str] = []
        while not seen or seen[-1] != "3/3":
            seen.append(table.stdout.readline().split()[1])
        assert "2/3" in seen
    finally:
        table.terminate()
        table.communicate(timeout=10)


def test_an_eviction_deletes_a_pod_with_grace(shop: Kubectl) -> None:
    name = _pods(shop)[0]["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    path = f"/api/v1/namespaces/{shop.namespace}/pods/{name}/eviction"
    shop("create", "--raw", path, "-f", "-", given=json.dumps(body))
    assert "deletionTimestamp" in shop.object("pod", name)["metadata"]
    shop("wait", f"pod/{name}", "--for=delete", "--timeout=20s")
