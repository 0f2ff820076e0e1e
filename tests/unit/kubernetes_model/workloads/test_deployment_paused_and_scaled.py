from __future__ import annotations

from serinus.kubernetes_model.kinds import DEPLOYMENTS, REPLICA_SETS
from serinus.kubernetes_model.requests import Propagation
from tests.unit.kubernetes_model.workloads.world import (
    World,
    a_deployment,
    a_template,
    condition,
    image_of,
)

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"


def held(*, image: str = "shop:2", replicas: int = 3) -> World:
    """Return a world whose complete Deployment is paused and then got another template."""
    world = World()
    world.apply(a_deployment(replicas=replicas))
    world.settle()
    world.change(DEPLOYMENTS, "shop", paused=True)
    world.change(DEPLOYMENTS, "shop", template=a_template(image))
    world.settle()
    return world


def with_canary(world: World, *, image: str = "shop:2", replicas: int = 3) -> None:
    """Add a Deployment of the very same selector that runs the held template."""
    world.apply(a_deployment("canary", image=image, replicas=replicas))
    world.settle()


def test_a_paused_deployment_makes_no_replica_set_for_a_new_template() -> None:
    world = held()
    assert world.sizes() == {"shop:1": 3}
    assert "updatedReplicas" not in world.deployment()["status"]
    progressing = condition(world.deployment(), "Progressing")
    assert (progressing["status"], progressing["reason"], progressing["message"]) == (
        "Unknown",
        "DeploymentPaused",
        "Deployment is paused",
    )
    assert world.deployment()["status"]["observedGeneration"] == 3


def test_resuming_says_so_and_rolls_out() -> None:
    world = held()
    world.change(DEPLOYMENTS, "shop", paused=None)
    world.controllers.step(world.now)
    assert condition(world.deployment(), "Progressing")["reason"] in {
        "DeploymentResumed",
        "NewReplicaSetCreated",
    }
    world.settle()
    assert world.sizes() == {"shop:1": 0, "shop:2": 3}


def test_a_paused_deployment_follows_its_size_while_one_replica_set_is_active() -> None:
    world = held()
    for size in (4, 3):
        world.change(DEPLOYMENTS, "shop", replicas=size)
        world.settle()
        assert world.sizes() == {"shop:1": size}
    annotations = world.replica_sets()[0]["metadata"]["annotations"]
    assert (annotations[DESIRED], annotations[MAX]) == ("3", "4")


def test_a_complete_replica_set_left_by_its_deployment_is_adopted_and_the_old_one_goes() -> None:
    world = held()
    with_canary(world)
    pods_before = {pod["metadata"]["uid"] for pod in world.pods() if image_of(pod) == "shop:2"}
    world.delete(DEPLOYMENTS, "canary", Propagation.ORPHAN)
    world.settle()
    assert world.sizes() == {"shop:1": 0, "shop:2": 3}
    adopted = world.replica_sets()[-1]
    (owner,) = adopted["metadata"]["ownerReferences"]
    assert owner["uid"] == world.deployment()["metadata"]["uid"]
    assert adopted["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    assert world.deployment()["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    assert {pod["metadata"]["uid"] for pod in world.pods()} == pods_before
    assert world.deployment()["status"]["updatedReplicas"] == 3


def test_adopting_a_smaller_replica_set_dips_and_ends_with_the_new_version() -> None:
    world = held()
    world.change(DEPLOYMENTS, "shop", replicas=5)
    world.settle()
    with_canary(world, replicas=3)
    world.delete(DEPLOYMENTS, "canary", Propagation.ORPHAN)
    world.run()
    # Seven are allowed: the new one grows from 3 by its share of them, the rest falls on the old.
    assert world.sizes() == {"shop:1": 2, "shop:2": 5}
    world.settle()
    assert world.sizes() == {"shop:1": 0, "shop:2": 5}


def test_adopting_a_larger_replica_set_leaves_most_pods_with_the_old_version() -> None:
    world = held(replicas=10)
    with_canary(world, replicas=10)
    world.change(DEPLOYMENTS, "shop", replicas=5)
    world.settle()
    world.delete(DEPLOYMENTS, "canary", Propagation.ORPHAN)
    world.settle()
    assert world.sizes() == {"shop:1": 5, "shop:2": 2}


def test_an_empty_twin_counts_as_the_new_one_and_versions_mix_until_resumed() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    for image in ("shop:2", "shop:1"):
        world.change(DEPLOYMENTS, "shop", template=a_template(image))
        world.settle()
    world.now += 5_000
    world.change(DEPLOYMENTS, "shop", paused=True)
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2"))
    world.settle()
    with_canary(world)
    world.delete(DEPLOYMENTS, "canary", Propagation.ORPHAN)
    world.settle()
    sized = sorted(item["spec"]["replicas"] for item in world.all(REPLICA_SETS))
    assert sized == [0, 1, 3]
    world.change(DEPLOYMENTS, "shop", paused=None)
    world.settle()
    assert {image_of(pod) for pod in world.pods()} == {"shop:2"}


def test_scaling_in_mid_rollout_keeps_the_proportion() -> None:
    world = World()
    world.apply(a_deployment(replicas=10))
    world.settle()
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2"))
    world.run()
    assert world.sizes() == {"shop:1": 8, "shop:2": 5}
    world.change(DEPLOYMENTS, "shop", replicas=20)
    for key in iter(lambda: world.controllers.step(world.now), None):
        if key.controller == "deployment":
            break
    # 25 allowed in place of 13: 8/13 of 25 is 15.38, 5/13 of 25 is 9.6.
    assert world.sizes() == {"shop:1": 15, "shop:2": 10}
    annotations = world.replica_sets()[0]["metadata"]["annotations"]
    assert (annotations[DESIRED], annotations[MAX]) == ("20", "25")


def test_scaling_to_nothing_and_back_starts_the_latest_template() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    world.change(DEPLOYMENTS, "shop", replicas=0)
    world.settle()
    assert world.pods() == []
    world.change(DEPLOYMENTS, "shop", replicas=2)
    world.settle()
    assert world.sizes() == {"shop:1": 2}


def test_a_twin_is_started_by_a_held_deployment_that_was_scaled_to_nothing() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    for image in ("shop:2", "shop:1"):
        world.change(DEPLOYMENTS, "shop", template=a_template(image))
        world.settle()
    world.change(DEPLOYMENTS, "shop", paused=True)
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2"))
    for size in (0, 3):
        world.change(DEPLOYMENTS, "shop", replicas=size)
        world.settle()
    assert {image_of(pod) for pod in world.pods()} == {"shop:2"}


def test_a_replica_set_is_released_when_its_labels_no_longer_match() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    name = world.replica_sets()[0]["metadata"]["name"]
    world.relabel(REPLICA_SETS, name, app="mine")
    world.run()
    released = world.get(REPLICA_SETS, name)
    assert "ownerReferences" not in released["metadata"]


def test_a_selector_that_shuts_out_a_hash_leaves_that_replica_set_alone() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    stable_hash = world.replica_sets()[0]["metadata"]["labels"]["pod-template-hash"]
    selector = {
        "matchLabels": {"app": "shop"},
        "matchExpressions": [
            {"key": "pod-template-hash", "operator": "NotIn", "values": [stable_hash]}
        ],
    }
    world.apply(a_deployment("canary", image="shop:2", selector=selector))
    world.settle()
    world.delete(DEPLOYMENTS, "shop", Propagation.ORPHAN)
    world.settle()
    assert world.sizes() == {"shop:1": 3, "shop:2": 3}


def test_the_same_selector_without_that_takes_it_and_scales_it_away() -> None:
    world = World()
    world.apply(a_deployment())
    world.settle()
    world.apply(a_deployment("canary", image="shop:2"))
    world.settle()
    world.delete(DEPLOYMENTS, "shop", Propagation.ORPHAN)
    world.settle()
    assert world.sizes() == {"shop:1": 0, "shop:2": 3}


def test_proportional_scaling_to_nothing_empties_every_replica_set() -> None:
    world = World()
    world.apply(a_deployment(replicas=4))
    world.settle()
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2"))
    world.run()
    world.change(DEPLOYMENTS, "shop", paused=True, replicas=0)
    world.settle()
    assert set(world.sizes().values()) == {0}
    assert world.pods() == []


def test_the_largest_replica_set_takes_what_rounding_leaves_over() -> None:
    world = World()
    world.apply(a_deployment(replicas=10))
    world.settle()
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2"))
    world.run()
    world.change(DEPLOYMENTS, "shop", paused=True, replicas=11)
    world.run()
    # 14 in place of 13: 8 of 13 is 8.6 and 5 of 13 is 5.4 of them.
    assert world.sizes() == {"shop:1": 9, "shop:2": 5}
    world.change(DEPLOYMENTS, "shop", replicas=5)
    world.run()
    assert world.sizes() == {"shop:1": 4, "shop:2": 3}


def test_a_paused_recreate_deployment_leaves_several_active_replica_sets_alone() -> None:
    world = World()
    world.apply(a_deployment(replicas=4))
    world.settle()
    world.change(DEPLOYMENTS, "shop", template=a_template("shop:2"))
    world.run()
    sizes = world.sizes()
    world.change(DEPLOYMENTS, "shop", paused=True, replicas=8, strategy={"type": "Recreate"})
    world.run()
    assert world.sizes() == sizes


def test_an_adopted_replica_set_without_noted_sizes_is_not_taken_for_saturated() -> None:
    world = held()
    with_canary(world)
    canary = next(item for item in world.replica_sets() if image_of(item) == "shop:2")
    world.delete(DEPLOYMENTS, "canary", Propagation.ORPHAN)
    world.edit(REPLICA_SETS, canary, annotations=None)
    world.settle()
    assert world.sizes()["shop:1"] > 0
