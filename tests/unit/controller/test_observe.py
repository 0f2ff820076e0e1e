"""What is read from a cluster's objects."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.api.codec import Release
from serinus.controller.observe import controller_uid, matches, observe, replica_set_of, target_of
from serinus.controller.ports import Snapshot
from serinus.kubernetes_model import Propagation
from serinus.kubernetes_model.kinds import DEPLOYMENTS
from serinus.release.model import Phase, Status
from serinus.traffic.pods import HASH_LABEL
from tests.unit.kubernetes_model.workloads.world import a_deployment, a_template
from tests.unit.release.world import ReleaseWorld, a_spec, finished


def paused_at(steps: str) -> ReleaseWorld:
    world = ReleaseWorld(spec=a_spec(steps))
    world.play()
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    return world


def seen(world: ReleaseWorld) -> Snapshot:
    return finished(world.read(world.stored.release.spec))


def test_a_release_half_way_is_seen_as_it_stands() -> None:
    world = paused_at("50,pause")
    observed = observe(world.stored.release, seen(world))
    obs = observed.observation
    assert obs.target is not None
    assert obs.canary is not None
    assert (obs.target.replica_count, obs.target.paused, obs.target.complete) == (3, True, False)
    assert (obs.canary.name, obs.canary.replica_count) == ("shop-rev2", 3)
    assert obs.canary.owner_uid == obs.target.uid
    assert obs.canary.template == obs.target.template
    (stable,) = obs.owned_by(obs.target.uid)
    (canary,) = obs.owned_by(obs.canary.uid)
    assert (stable.wanted_count, stable.available_count, stable.standing_count) == (3, 3, 3)
    assert (canary.wanted_count, canary.desired_count, canary.ready_count) == (3, 3, 3)
    assert (obs.narrowable, obs.broader, obs.findings) == (True, (), ())
    assert observed.objects.canary is not None


def test_pods_that_were_told_to_stop_do_not_stand() -> None:
    world = paused_at("50,pause")
    rs = world.replica_sets()[0]
    own = [p for p in world.pods() if controller_uid(p) == rs["metadata"]["uid"]]
    leaving = {**own[0], "metadata": {**own[0]["metadata"], "deletionTimestamp": "x"}}
    found = replica_set_of(rs, [leaving, *own[1:]])
    assert (found.standing_count, found.available_count, found.ready_count) == (2, 2, 2)


def test_pods_that_broke_down_are_not_available_though_their_controller_has_not_said_so() -> None:
    world = paused_at("50,pause")
    rs = world.replica_sets()[0]
    first, *others = (p for p in world.pods() if controller_uid(p) == rs["metadata"]["uid"])
    broken = {**first, "status": {**first["status"], "conditions": []}}
    found = replica_set_of(rs, [broken, *others])
    assert (found.standing_count, found.available_count, found.ready_count) == (3, 2, 2)


def test_without_its_deployment_nothing_is_known() -> None:
    world = paused_at("50,pause")
    world.delete(DEPLOYMENTS, "shop")
    world.controllers.close()
    obs = observe(world.stored.release, seen(world)).observation
    assert (obs.target, obs.replica_sets, obs.findings, obs.broader) == (None, (), (), ())


def test_pods_of_an_orphaned_canary_are_still_seen() -> None:
    world = paused_at("50,pause")
    world.controllers.close()
    world.delete(DEPLOYMENTS, "shop-rev2", Propagation.BACKGROUND)
    obs = observe(world.stored.release, seen(world)).observation
    assert obs.canary is None
    assert len(obs.replica_sets) == 2


def test_another_deployment_that_would_take_the_canarys_pods_is_named() -> None:
    world = paused_at("50,pause")
    world.apply(a_deployment("broad", replicas=0, selector={"matchLabels": {"app": "shop"}}))
    narrow = {"app": "shop", "team": "other"}
    template = a_template("x:1", team="other")
    world.apply(a_deployment("narrow", selector={"matchLabels": narrow}, template=template))
    obs = observe(world.stored.release, seen(world)).observation
    assert obs.broader == ("broad",)


def test_a_canary_of_another_release_is_not_taken_for_ours() -> None:
    world = paused_at("50,pause")
    found = seen(world)
    stranger = {
        **found.deployments[0],
        "metadata": {
            **found.deployments[0]["metadata"],
            "labels": {"serinus.dev/canary-of": "shop"},
            "ownerReferences": [{"name": "other", "uid": "x"}],
        },
    }
    alone = msgspec.structs.replace(found, deployments=(stranger,))
    assert observe(world.stored.release, alone).observation.canary is None


def test_n_is_the_users_while_we_hold_stable_below_it() -> None:
    world = ReleaseWorld(replicas=2)
    world.quiet()
    status = Status(full_replica_count=6, stable_replica_count=2)
    release = Release("shop", "default", a_spec("5"), status)
    assert observe(release, seen(world)).observation.findings == ()
    fresh = Release("shop", "default", a_spec("5"))
    (finding,) = observe(fresh, seen(world)).observation.findings
    assert finding.reason == "Weight"


@pytest.mark.parametrize(
    ("strategy", "surge", "recreate"),
    [
        ({}, True, False),
        ({"type": "RollingUpdate"}, True, False),
        ({"rollingUpdate": {"maxSurge": 0}}, False, False),
        ({"rollingUpdate": {"maxSurge": "0%"}}, False, False),
        ({"rollingUpdate": {"maxSurge": "10%"}}, True, False),
        ({"rollingUpdate": {"maxSurge": 2}}, True, False),
        ({"type": "Recreate"}, False, True),
    ],
)
def test_room_for_one_more_pod_is_read_from_the_strategy(
    strategy: Any, surge: bool, recreate: bool
) -> None:
    target = target_of(
        {
            "metadata": {"name": "shop", "uid": "u"},
            "spec": {"template": {}, "strategy": strategy},
        }
    )
    assert (target.surge, target.recreate) == (surge, recreate)
    assert (target.replica_count, target.progress_deadline_ms) == (1, 600_000)


@pytest.mark.parametrize(
    ("selector", "taken"),
    [
        ({}, False),
        ({"matchLabels": {"app": "shop"}}, True),
        ({"matchLabels": {"app": "other"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["shop"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["shop"]}]}, False),
        ({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["x"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": HASH_LABEL, "operator": "DoesNotExist"}]}, True),
    ],
)
def test_selectors_match_as_in_kubernetes(selector: Any, taken: bool) -> None:
    assert matches(selector, {"app": "shop"}) is taken


@pytest.mark.parametrize(
    ("selector", "counts"),
    [
        ({"matchLabels": {"app": "shop"}}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({}, True),
        (None, False),
        ({"matchLabels": {"app": "other"}}, False),
        ({"matchLabels": {"app": "shop", "tier": "web"}}, False),
    ],
)
def test_a_budget_is_told_of_where_it_counts_the_pods(selector: Any, counts: bool) -> None:
    world = paused_at("25,pause")
    spec = {"minAvailable": 1} | ({} if selector is None else {"selector": selector})
    budget = {"metadata": {"name": "pdb"}, "spec": spec}
    snapshot = msgspec.structs.replace(seen(world), budgets=(budget,))
    found = observe(world.stored.release, snapshot).observation.findings
    assert ("BudgetCountsBoth" in [f.reason for f in found]) == counts
