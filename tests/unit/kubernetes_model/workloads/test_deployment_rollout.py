from __future__ import annotations

from serinus import errors
from serinus.kubernetes_model.kinds import DEPLOYMENTS, REPLICA_SETS
from serinus.kubernetes_model.requests import Propagation
from tests.unit.kubernetes_model.workloads.world import (
    World,
    a_deployment,
    a_template,
    condition,
    image_of,
)


def test_a_new_deployment_gets_a_replica_set_with_its_size_and_revision() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    (replica_set,) = world.replica_sets()
    hash_text = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"shop-{hash_text}"
    assert 8 <= len(hash_text) <= 10
    assert set(hash_text) <= set("bcdfghjklmnpqrstvwxz2456789")
    assert replica_set["spec"]["selector"]["matchLabels"]["pod-template-hash"] == hash_text
    assert replica_set["metadata"]["annotations"] == {
        "deployment.kubernetes.io/revision": "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
    (owner,) = replica_set["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["controller"], owner["blockOwnerDeletion"]) == (
        "Deployment",
        True,
        True,
    )
    assert world.deployment()["metadata"]["annotations"] == {
        "deployment.kubernetes.io/revision": "1"
    }


def test_a_finished_rollout_reports_counts_and_conditions() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    status = world.deployment()["status"]
    name = world.replica_sets()[0]["metadata"]["name"]
    counts = {key: value for key, value in status.items() if key != "conditions"}
    assert counts == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "terminatingReplicas": 0,
    }
    assert condition(world.deployment(), "Available")["reason"] == "MinimumReplicasAvailable"
    progressing = condition(world.deployment(), "Progressing")
    assert progressing["reason"] == "NewReplicaSetAvailable"
    assert progressing["message"] == f'ReplicaSet "{name}" has successfully progressed.'
    assert world.wake_at is None


def test_a_changed_template_rolls_out_within_surge_and_availability() -> None:
    world = World()
    world.apply(a_deployment(replicas=10))
    world.settle()
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2"))
    world.run()
    assert world.sizes() == {"shop:1": 8, "shop:2": 5}
    lowest = 10
    for _ in range(40):
        for pod in world.pods():
            if pod["metadata"].get("deletionTimestamp"):
                world.stop(pod)
            elif not pod["spec"].get("nodeName"):
                world.start(pod)
                break
        world.run()
        total = sum(world.sizes().values())
        available = world.deployment()["status"].get("availableReplicas", 0)
        lowest = min(lowest, available)
        assert total <= 13
    assert lowest >= 8
    assert world.sizes() == {"shop:1": 0, "shop:2": 10}
    assert [
        item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
        for item in world.replica_sets()
    ] == ["1", "2"]


def test_going_back_to_an_old_template_reuses_its_replica_set_under_a_new_revision() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    first = world.replica_sets()[0]["metadata"]["uid"]
    for image in ("shop:2", "shop:1"):
        world.change(DEPLOYMENTS, "shop", template=a_template(image))
        world.settle()
    newest = world.replica_sets()[-1]
    assert newest["metadata"]["uid"] == first
    annotations = newest["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "3"
    assert annotations["deployment.kubernetes.io/revision-history"] == "1"
    assert world.deployment()["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_a_template_changed_in_mid_rollout_shrinks_both_older_ones() -> None:
    world = World()
    world.apply(a_deployment(replicas=4))
    world.settle()
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2"))
    world.run()
    assert world.sizes() == {"shop:1": 3, "shop:2": 2}
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:3"))
    world.run()
    # The two that never got ready go first, and make room for the third.
    assert world.sizes() == {"shop:1": 3, "shop:2": 0, "shop:3": 2}
    world.settle()
    assert world.sizes() == {"shop:1": 0, "shop:2": 0, "shop:3": 4}


def test_recreate_waits_until_every_old_pod_is_gone() -> None:
    world = World()
    world.apply(a_deployment(strategy={"type": "Recreate"}))
    world.settle()
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2"))
    world.run()
    assert world.sizes() == {"shop:1": 0}
    leaving = world.pods()
    for pod in leaving[:-1]:
        world.stop(pod)
        world.run()
        assert world.sizes() == {"shop:1": 0}
    world.stop(leaving[-1])
    world.run()
    assert world.sizes() == {"shop:1": 0, "shop:2": 3}


def test_old_replica_sets_beyond_the_history_limit_go_when_the_rollout_is_complete() -> None:
    world = World()
    world.apply(a_deployment(revisionHistoryLimit=1))
    world.settle()
    for image in ("shop:2", "shop:3"):
        world.change(DEPLOYMENTS, "shop", template=a_template(image))
        world.run()
        assert "shop:1" in world.sizes()
        world.settle()
    assert world.sizes() == {"shop:2": 0, "shop:3": 3}


def test_a_rollout_without_progress_is_reported_after_the_deadline_and_not_before() -> None:
    world = World()
    world.apply(a_deployment(progressDeadlineSeconds=60))
    world.settle()
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2"))
    world.run()
    world.pass_time(60_000)
    assert condition(world.deployment(), "Progressing")["status"] == "True"
    world.pass_time(1)
    progressing = condition(world.deployment(), "Progressing")
    name = world.replica_sets()[-1]["metadata"]["name"]
    assert (progressing["status"], progressing["reason"], progressing["message"]) == (
        "False",
        "ProgressDeadlineExceeded",
        f'ReplicaSet "{name}" has timed out progressing.',
    )
    assert world.wake_at is None
    world.settle()
    assert condition(world.deployment(), "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_the_controllers_ask_to_be_woken_for_the_progress_deadline() -> None:
    world = World()
    world.apply(a_deployment(progressDeadlineSeconds=60))
    world.run()
    assert world.wake_at == world.now + 60_001


def test_min_ready_seconds_delays_availability() -> None:
    world = World()
    world.apply(a_deployment(minReadySeconds=10))
    world.settle()
    assert world.deployment()["status"]["readyReplicas"] == 3
    assert "availableReplicas" not in world.deployment()["status"]
    assert world.replica_sets()[0]["spec"]["minReadySeconds"] == 10
    world.pass_time(9_000)
    assert "availableReplicas" not in world.deployment()["status"]
    assert world.wake_at == world.now + 1_000
    world.pass_time(1_000)
    assert world.deployment()["status"]["availableReplicas"] == 3


def test_changed_annotations_reach_the_replica_set_without_the_applied_manifest() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    deployment = a_deployment()
    deployment["metadata"]["annotations"] = {
        "team": "checkout",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "deployment.kubernetes.io/revision": "1",
    }
    world.apply(deployment)
    world.settle()
    annotations = world.replica_sets()[0]["metadata"]["annotations"]
    assert annotations["team"] == "checkout"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in annotations


def test_a_name_taken_by_another_replica_set_is_resolved_by_another_hash() -> None:
    probe = World()
    probe.apply(a_deployment())
    probe.settle()
    taken = probe.replica_sets()[0]["metadata"]["name"]

    world = World()
    labels = {"app": "other"}
    template = {**a_template("other:1"), "metadata": {"labels": labels}}
    world.apply(
        {
            "kind": "ReplicaSet",
            "metadata": {"name": taken, "labels": labels},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        }
    )
    world.apply(a_deployment())
    world.settle()
    world.pass_time(10)
    world.settle()
    assert world.deployment()["status"]["collisionCount"] == 1
    names = [item["metadata"]["name"] for item in world.all(REPLICA_SETS)]
    assert len(names) == 2
    assert world.sizes()["shop:1"] == 3


def test_a_failing_replica_set_shows_on_the_deployment() -> None:
    world = World()
    world.refused["Pod"] = errors.Forbidden("pods is forbidden: quota exceeded")
    world.apply(a_deployment())
    world.controllers.run(world.now, max_steps=100)
    failure = condition(world.deployment(), "ReplicaFailure")
    assert failure["reason"] == "FailedCreate"
    assert failure["message"] == "pods is forbidden: quota exceeded"
    world.refused.clear()
    world.pass_time(1_000_000)
    world.settle()
    assert not condition(world.deployment(), "ReplicaFailure")
    assert image_of(world.pods()[0]) == "shop:1"


def test_without_a_history_limit_every_old_replica_set_is_kept() -> None:
    for limit in (None, 2_147_483_647):
        world = World()
        world.apply(a_deployment(revisionHistoryLimit=limit))
        for image in ("shop:1", "shop:2", "shop:3"):
            world.change(DEPLOYMENTS, "shop", template=a_template(image))
            world.settle()
        assert set(world.sizes()) == {"shop:1", "shop:2", "shop:3"}


def test_without_a_progress_deadline_progress_is_not_reported() -> None:
    world = World()
    world.apply(a_deployment(progressDeadlineSeconds=2_147_483_647))
    world.run()
    assert condition(world.deployment(), "Progressing") == {}
    assert world.wake_at is None
    world.change(DEPLOYMENTS, "shop", paused=True)
    world.settle()
    assert condition(world.deployment(), "Progressing") == {}


def test_progress_is_reported_again_once_a_deadline_is_set() -> None:
    world = World()
    world.apply(a_deployment(progressDeadlineSeconds=2_147_483_647))
    world.settle()
    world.change(DEPLOYMENTS, "shop", progressDeadlineSeconds=600, paused=True)
    world.change(DEPLOYMENTS, "shop", paused=None)
    world.settle()
    assert condition(world.deployment(), "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_min_ready_seconds_follow_the_deployment() -> None:
    world = World()
    world.apply(a_deployment(minReadySeconds=5))
    world.settle()
    world.change(DEPLOYMENTS, "shop", minReadySeconds=None)
    world.settle()
    assert "minReadySeconds" not in world.replica_sets()[0]["spec"]
    assert world.deployment()["status"]["availableReplicas"] == 3


def test_a_refused_replica_set_is_told_as_lack_of_progress() -> None:
    world = World()
    world.refused["ReplicaSet"] = errors.Forbidden("quota exceeded")
    world.apply(a_deployment())
    world.controllers.run(world.now, max_steps=50)
    progressing = condition(world.deployment(), "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "ReplicaSetCreateError")
    assert progressing["message"].endswith(": quota exceeded")


def test_a_timed_out_rollout_stays_so_when_it_is_paused() -> None:
    world = World()
    world.apply(a_deployment(progressDeadlineSeconds=60))
    world.run()
    world.pass_time(61_000)
    world.change(DEPLOYMENTS, "shop", paused=True)
    world.run()
    assert condition(world.deployment(), "Progressing")["reason"] == "ProgressDeadlineExceeded"


def test_a_deployment_being_deleted_only_reports() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    world.delete(DEPLOYMENTS, "shop", Propagation.FOREGROUND)
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2"))
    world.run()
    assert "shop:2" not in world.sizes()
    deployment = world.deployment()
    assert deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]
