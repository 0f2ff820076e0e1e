from __future__ import annotations

from typing import Any

import pytest

from serinus import errors
from serinus.kubernetes_model.kinds import PODS, REPLICA_SETS
from serinus.kubernetes_model.requests import Object, Propagation
from serinus.kubernetes_model.workloads import pods
from tests.unit.kubernetes_model.workloads.world import (
    START,
    World,
    a_template,
    condition,
)


def a_replica_set(replicas: int = 3, **spec: Any) -> Object:
    return {
        "kind": "ReplicaSet",
        "metadata": {"name": "web", "labels": {"app": "shop"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": a_template("shop:1"),
            **spec,
        },
    }


def a_loose_pod(name: str, **labels: str) -> Object:
    template = a_template("shop:1")
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {"app": "shop"}},
        "spec": template["spec"],
    }


def status_of(world: World) -> dict[str, Any]:
    status: dict[str, Any] = world.get(REPLICA_SETS, "web")["status"]
    return status


def test_pods_are_made_from_the_template_and_owned() -> None:
    world = World()
    template = a_template("shop:1")
    template["metadata"]["annotations"] = {"team": "checkout"}
    world.apply(a_replica_set(2, template=template))
    world.run()
    made = world.pods()
    assert len(made) == 2
    owner = made[0]["metadata"]["ownerReferences"][0]
    assert owner == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web",
        "uid": world.get(REPLICA_SETS, "web")["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    assert made[0]["metadata"]["generateName"] == "web-"
    assert made[0]["metadata"]["labels"] == {"app": "shop"}
    assert made[0]["metadata"]["annotations"] == {"team": "checkout"}


def test_the_status_counts_pods_as_they_start_and_leave() -> None:
    world = World()
    world.apply(a_replica_set(3))
    world.run()
    assert status_of(world) == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "terminatingReplicas": 0,
        "observedGeneration": 1,
    }
    first, second, _ = world.pods()
    world.start(first)
    world.start(second, ready=False)
    world.run()
    assert status_of(world)["readyReplicas"] == 1
    assert status_of(world)["availableReplicas"] == 1
    world.delete(PODS, first["metadata"]["name"])
    world.run()
    assert status_of(world)["terminatingReplicas"] == 1
    assert status_of(world)["replicas"] == 3
    world.stop(first)
    world.run()
    assert status_of(world)["terminatingReplicas"] == 0


def test_a_matching_pod_without_owner_is_adopted_and_counts() -> None:
    world = World()
    world.apply(a_loose_pod("stray"))
    world.apply(a_replica_set(2))
    world.run()
    assert len(world.pods()) == 2
    stray = world.get(PODS, "stray")
    assert stray["metadata"]["ownerReferences"][0]["name"] == "web"


def test_a_pod_whose_label_is_taken_away_is_released_and_replaced() -> None:
    world = World()
    world.apply(a_replica_set(2))
    world.run()
    name = world.pods()[0]["metadata"]["name"]
    world.relabel(PODS, name, app="debug")
    world.run()
    assert "ownerReferences" not in world.get(PODS, name)["metadata"]
    assert len(world.pods()) == 3
    assert status_of(world)["replicas"] == 2


def test_a_pod_with_another_controller_is_left_alone() -> None:
    world = World()
    owned = a_loose_pod("theirs")
    other = world.apply({"kind": "ConfigMap", "metadata": {"name": "other"}})
    owned["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "other",
            "uid": other["metadata"]["uid"],
            "controller": True,
        }
    ]
    world.apply(owned)
    world.apply(a_replica_set(1))
    world.run()
    assert len(world.pods()) == 2
    owners = world.get(PODS, "theirs")["metadata"]["ownerReferences"]
    assert [owner["name"] for owner in owners] == ["other"]


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_has_stopped_is_replaced_and_stays(phase: str) -> None:
    world = World()
    world.apply(a_replica_set(1))
    world.run()
    (pod,) = world.pods()
    stopped = {**pod, "status": {"phase": phase}}
    world.replace(PODS, stopped, "status")
    world.run()
    assert len(world.pods()) == 2
    assert status_of(world)["replicas"] == 1


def test_a_refused_pod_is_told_as_a_condition_until_it_works() -> None:
    world = World()
    world.refused["Pod"] = errors.Forbidden("quota exceeded")
    world.apply(a_replica_set(1))
    world.run()
    failure = condition(world.get(REPLICA_SETS, "web"), "ReplicaFailure")
    assert (failure["status"], failure["reason"], failure["message"]) == (
        "True",
        "FailedCreate",
        "quota exceeded",
    )
    assert world.wake_at is not None
    assert world.wake_at > world.now
    world.refused.clear()
    world.pass_time(10_000)
    assert len(world.pods()) == 1
    assert "conditions" not in status_of(world)


def test_scaling_in_takes_pods_that_are_not_ready_first() -> None:
    world = World()
    world.apply(a_replica_set(3))
    world.run()
    first, second, third = world.pods()
    world.start(first)
    world.start(second, ready=False)
    world.start(third)
    world.run()
    world.change(REPLICA_SETS, "web", replicas=2)
    world.run()
    leaving = [pod for pod in world.pods() if pod["metadata"].get("deletionTimestamp")]
    assert [pod["metadata"]["name"] for pod in leaving] == [second["metadata"]["name"]]


def test_deleting_a_replica_set_in_the_foreground_makes_no_new_pods() -> None:
    world = World()
    world.apply(a_replica_set(2))
    world.settle()
    world.delete(REPLICA_SETS, "web", Propagation.FOREGROUND)
    world.run()
    assert len(world.pods()) == 2
    assert all(pod["metadata"]["deletionTimestamp"] for pod in world.pods())
    world.stop(world.pods()[0])
    world.run()
    assert len(world.pods()) == 1


def a_pod(
    uid: str,
    *,
    node: str = "local",
    phase: str = "Running",
    ready_since_s: int | None = 100,
    created_s: int = 100,
    cost: str | None = None,
    restarts: int = 0,
) -> Object:
    """Return a Pod that was created, and got ready, so many seconds before START."""
    from serinus.kubernetes_model import timestamps

    def ago(seconds: int) -> str:
        return timestamps.time(START - seconds * 1000)

    ready: list[dict[str, str]] = []
    if ready_since_s is not None:
        since = ago(ready_since_s)
        ready = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    annotations = {} if cost is None else {pods.DELETION_COST_ANNOTATION: cost}
    return {
        "metadata": {
            "name": uid,
            "uid": uid,
            "creationTimestamp": ago(created_s),
            "annotations": annotations,
        },
        "spec": {"nodeName": node} if node else {},
        "status": {
            "phase": phase,
            "conditions": ready,
            "containerStatuses": [{"name": "web", "restartCount": restarts}],
        },
    }


@pytest.mark.parametrize(
    ("victim", "survivor"),
    [
        (a_pod("a", node=""), a_pod("b", phase="Pending", ready_since_s=None)),
        (a_pod("a", phase="Pending"), a_pod("b", ready_since_s=None)),
        (a_pod("a", ready_since_s=None), a_pod("b")),
        (a_pod("a", cost="-5"), a_pod("b")),
        (a_pod("a", ready_since_s=10), a_pod("b", ready_since_s=1000)),
        (a_pod("a", restarts=4), a_pod("b", restarts=1)),
        (a_pod("a", created_s=10), a_pod("b", created_s=1000)),
        # Ages of the same magnitude are alike, and the uid decides.
        (a_pod("a", ready_since_s=120), a_pod("b", ready_since_s=100)),
    ],
)
def test_of_two_pods_this_one_goes_first(victim: Object, survivor: Object) -> None:
    for order in ([victim, survivor], [survivor, victim]):
        assert pods.victims_first(order, [], START)[0] is victim


def test_of_two_alike_pods_the_one_on_the_fuller_node_goes_first() -> None:
    crowded, alone = a_pod("z", node="one"), a_pod("a", node="two")
    related = [crowded, alone, a_pod("other", node="one")]
    assert pods.victims_first([alone, crowded], related, START)[0] is crowded
