from __future__ import annotations

from serinus import errors
from serinus.kubernetes_model.controllers import Controllers
from serinus.kubernetes_model.kinds import DEPLOYMENTS, EVENTS, REPLICA_SETS
from serinus.kubernetes_model.workloads.triggers import Key
from tests.unit.kubernetes_model.workloads.world import (
    START,
    World,
    a_deployment,
    a_template,
)


def test_one_step_reconciles_one_key() -> None:
    world = World()
    world.run()
    world.apply(a_deployment())
    assert world.controllers.pending == (Key("deployment", "default", "shop"),)
    assert world.controllers.step(START) == Key("deployment", "default", "shop")
    assert len(world.replica_sets()) == 1
    assert world.pods() == []


def test_a_caller_may_choose_which_key_comes_next() -> None:
    world = World()
    world.apply(a_deployment("one"))
    world.apply(a_deployment("two"))
    chosen = Key("deployment", "default", "two")
    assert world.controllers.step(START, chosen) == chosen
    assert chosen not in world.controllers.pending or world.controllers.pending[0] != chosen
    assert [item["metadata"]["name"][:3] for item in world.replica_sets()] == ["two"]


def test_a_key_that_is_not_pending_is_not_reconciled() -> None:
    world = World()
    world.run()
    assert world.controllers.step(START, Key("deployment", "default", "none")) is None


def test_run_stops_after_the_allowed_steps_and_asks_to_go_on_at_once() -> None:
    world = World()
    world.apply(a_deployment())
    assert world.controllers.run(START, max_steps=1) == START
    assert world.controllers.pending


def test_a_settled_cluster_wants_no_wake_up() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    assert world.controllers.run(world.now) is None


def test_new_controllers_go_on_where_the_old_ones_died() -> None:
    world = World()
    world.apply(a_deployment())
    world.controllers.step(world.now)
    world.controllers.close()
    world.controllers = Controllers(world.cluster)
    world.settle()
    assert world.deployment()["status"]["availableReplicas"] == 3


def test_closed_controllers_see_nothing_any_more() -> None:
    world = World()
    world.run()
    world.controllers.close()
    world.apply(a_deployment())
    assert world.controllers.pending == ()


def test_a_refused_write_is_tried_again_later_and_later() -> None:
    world = World()
    world.run()
    world.refused["ReplicaSet"] = errors.Unavailable("try later")
    world.apply(a_deployment(progressDeadlineSeconds=2_147_483_647))
    waits = []
    for _ in range(4):
        wake_at = world.controllers.run(world.now, max_steps=10)
        assert wake_at is not None
        waits.append(wake_at - world.now)
        world.now = wake_at
    assert waits == [5, 10, 20, 40]
    world.refused.clear()
    world.settle()
    assert world.deployment()["status"]["availableReplicas"] == 3


def test_a_deployment_is_given_up_after_fifteen_retries_until_it_changes() -> None:
    world = World()
    world.run()
    world.refused["ReplicaSet"] = errors.Unavailable("try later")
    world.apply(a_deployment(progressDeadlineSeconds=2_147_483_647))
    attempts = 0
    while (wake_at := world.controllers.run(world.now)) is not None:
        attempts += 1
        world.now = wake_at
    assert attempts == 15
    world.refused.clear()
    world.change(DEPLOYMENTS, "shop", replicas=1)
    world.settle()
    assert world.sizes() == {"shop:1": 1}


def test_the_same_words_about_the_same_object_are_one_event_that_counts() -> None:
    world = World()
    world.refused["Pod"] = errors.Forbidden("quota exceeded")
    world.apply(a_deployment(replicas=1))
    world.run()
    for _ in range(3):
        assert world.wake_at is not None
        world.pass_time(world.wake_at - world.now)
    refused = [event for event in world.all(EVENTS) if event["reason"] == "FailedCreate"]
    assert len(refused) == 1
    assert refused[0]["count"] > 1
    assert refused[0]["message"] == "Error creating: quota exceeded"
    assert refused[0]["involvedObject"]["kind"] == "ReplicaSet"
    assert refused[0]["type"] == "Warning"


def test_a_rollout_is_told_in_events() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    told = {(event["reason"], event["source"]["component"]) for event in world.all(EVENTS)}
    assert told == {
        ("ScalingReplicaSet", "deployment-controller"),
        ("SuccessfulCreate", "replicaset-controller"),
    }
    name = world.replica_sets()[0]["metadata"]["name"]
    messages = {event["message"] for event in world.all(EVENTS)}
    assert f"Scaled up replica set {name} from 0 to 3" in messages


def test_controllers_without_events_write_none() -> None:
    world = World()
    world.controllers.close()
    world.controllers = Controllers(world.cluster, events=False)
    world.apply(a_deployment())
    world.run()
    assert len(world.pods()) == 3
    assert world.all(EVENTS) == []


def test_a_change_in_one_deployment_reconciles_nothing_of_the_others() -> None:
    world = World()
    for number in range(100):
        name = f"shop-{number}"
        labels = {"app": name}
        template = a_template("shop:1")
        template["metadata"]["labels"] = labels
        selector = {"matchLabels": labels}
        world.apply(a_deployment(name, replicas=1, template=template, selector=selector))
    world.settle()
    world.change(DEPLOYMENTS, "shop-7", replicas=2)
    touched = set()
    while (key := world.controllers.step(world.now)) is not None:
        touched.add(key.name)
    mine = {
        item["metadata"]["name"]
        for item in world.all(REPLICA_SETS)
        if item["spec"]["selector"]["matchLabels"]["app"] == "shop-7"
    }
    assert touched == {"shop-7", *mine}
