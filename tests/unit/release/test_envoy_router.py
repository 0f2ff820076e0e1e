"""Releases behind routers: they come before the canary, and go after it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.controller.observe import observe
from serinus.controller.over_model import routers
from serinus.controller.rehearsal import Rehearsal, copies
from serinus.kubernetes_model.kinds import DEPLOYMENTS, SERVICES
from serinus.release.model import CommandVerb, Phase, Promotion
from serinus.traffic.envoy.in_cluster.options import EnvoyOptions, Keep
from serinus.traffic.pods import HASH_LABEL, is_ready
from tests.unit.kubernetes_model.workloads.world import image_of
from tests.unit.release.stories import NEW, OLD
from tests.unit.release.world import ReleaseWorld, a_spec, finished

OURS = (
    "Deployment",
    "Service",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "PodDisruptionBudget",
    "TrafficPlan",
)
DEFAULT = EnvoyOptions()
ALWAYS = EnvoyOptions(keep=Keep.ALWAYS)
OWN, ROUTED = {"app": "shop"}, {"app": "shop-router"}


class Behind(ReleaseWorld):
    """A release behind routers, under the eyes of its users."""

    def __init__(self, *, options: EnvoyOptions = DEFAULT, **arguments: Any) -> None:
        spec = a_spec(
            arguments.pop("steps", "25,pause,50"),
            router="Envoy",
            router_options=options,
            **arguments.pop("more", {}),
        )
        super().__init__(spec=spec, **arguments)
        routers.define(self.cluster, self.now)
        self.seen: list[tuple[str, int]] = []
        """Where the Service led, and how many canary pods it selected, after each change."""
        self.after_each_change = self.note

    def note(self) -> None:
        where = "routers" if self.selector() == ROUTED else "pods"
        canaries = sum(1 for pod in self.selected() if image_of(dict(pod)) == NEW)
        if not self.seen or self.seen[-1] != (where, canaries):
            self.seen.append((where, canaries))

    def parts(self) -> list[str]:
        """Return all that is marked as a router's."""
        found = []
        for kind in OURS:
            resource = next(r for r in self.cluster.resources if r.kind == kind)
            found += [
                f"{kind} {o['metadata']['name']}"
                for o in self.cluster.list(resource, "default").items
                if "serinus.dev/router" in (o["metadata"].get("labels") or {})
            ]
        return found

    def plan(self) -> dict[str, Any]:
        resource = self.cluster.resource("serinus.dev/v1alpha1", "TrafficPlan")
        assert resource is not None
        spec: dict[str, Any] = self.cluster.get(resource, "shop", "default")["spec"]
        return spec

    def pin(self, name: str) -> str | None:
        selector: dict[str, str] = self.get(SERVICES, name)["spec"]["selector"]
        return selector.get(HASH_LABEL)


def at_rest(**arguments: Any) -> Behind:
    world = Behind(**arguments)
    world.play()
    return world


def released(**arguments: Any) -> Behind:
    world = at_rest(**arguments)
    world.set_image(NEW)
    world.play_until(Phase.PAUSED)
    return world


def test_the_service_leads_to_routers_before_a_canary_pod_is_there() -> None:
    world = released()
    assert world.selector() == ROUTED
    plain = [count for where, count in world.seen if where == "pods"]
    assert not any(plain), world.seen
    assert world.plan()["split"]["weight"] == 25
    assert world.pin("shop-stable") != world.pin("shop-canary") is not None
    assert world.ready() == {OLD: 3, NEW: 1, "serinus:0.1.0": 2}


def test_an_adopted_release_leaves_the_service_as_its_owner_wrote_it() -> None:
    world = released()
    world.give(CommandVerb.PROMOTE)
    assert world.play().decision.status.phase is Phase.HEALTHY
    assert world.selector() == OWN
    assert world.ready() == {NEW: 3}
    assert world.parts() == []


def test_the_service_leads_back_to_pods_only_when_all_of_them_are_of_one_revision() -> None:
    world = released()
    world.give(CommandVerb.PROMOTE)
    world.after_each_change = lambda: mixed(world)
    world.play()


def mixed(world: Behind) -> None:
    images = {image_of(dict(p)) for p in world.selected() if world.selector() == OWN}
    assert len(images) <= 1


def test_an_abort_leaves_nothing_behind() -> None:
    world = released()
    world.after_each_change = lambda: mixed(world)
    world.give(CommandVerb.ABORT)
    assert world.play().decision.status.phase is Phase.ABORTED
    assert (world.selector(), world.parts()) == (OWN, [])
    assert world.ready() == {OLD: 3}


def test_an_aborted_release_can_be_tried_again() -> None:
    world = released()
    world.give(CommandVerb.ABORT)
    world.play()
    world.give(CommandVerb.RETRY)
    world.play_until(Phase.PAUSED)
    assert world.selector() == ROUTED
    assert world.plan()["split"]["weight"] == 25


def test_a_rolling_update_goes_back_to_the_plain_service_first() -> None:
    world = released(more={"promotion": Promotion.ROLLING_UPDATE})
    world.give(CommandVerb.PROMOTE)
    assert world.play().decision.status.phase is Phase.HEALTHY
    assert (world.selector(), world.parts()) == (OWN, [])
    assert world.ready() == {NEW: 3}


def test_routers_that_are_kept_lead_everyone_to_what_runs() -> None:
    world = released(options=ALWAYS)
    world.give(CommandVerb.PROMOTE)
    assert world.play().decision.status.phase is Phase.HEALTHY
    assert world.selector() == ROUTED
    assert world.plan()["split"]["weight"] == 0
    assert world.pin("shop-stable") is None
    assert "Service shop-canary" not in world.parts()


def test_kept_routers_get_new_pods_before_the_share_of_the_old_canary_ends() -> None:
    world = released(options=ALWAYS)
    world.give(CommandVerb.PROMOTE)
    world.after_each_change = lambda: followed(world)
    world.play()


def followed(world: Behind) -> None:
    """At weight 0 stable's Service leads to pods that stay."""
    if world.selector() != ROUTED or world.plan()["split"]["weight"] != 0:
        return
    selector = world.get(SERVICES, "shop-stable")["spec"]["selector"].items()
    assert any(is_ready(p) and selector <= p["metadata"]["labels"].items() for p in world.pods())


def test_the_next_release_finds_kept_routers_in_front() -> None:
    world = released(options=ALWAYS)
    world.give(CommandVerb.PROMOTE)
    world.play()
    world.seen.clear()
    world.set_image("shop:3")
    world.play_until(Phase.PAUSED)
    assert {where for where, _ in world.seen} <= {"routers"}
    assert world.plan()["split"]["weight"] == 25


def test_whoever_leaves_keeps_no_router() -> None:
    world = released(options=ALWAYS)
    world.give(CommandVerb.PROMOTE)
    world.play()
    world.delete_release()
    world.play(lambda done: done.decision.gone)
    assert (world.selector(), world.parts()) == (OWN, [])


def test_a_manifest_that_is_applied_again_leads_to_pods_and_then_to_routers_again() -> None:
    world = released()
    world.change(SERVICES, "shop", selector={"app": "shop"})
    world.play_until(Phase.PAUSED)
    assert world.selector() == ROUTED


def test_users_are_led_past_routers_that_all_died() -> None:
    world = released()
    world.answering = False
    world.change(DEPLOYMENTS, "shop-router", replicas=0)
    world.play(lambda _: world.selector() == OWN)
    assert world.served_images() == {OLD, NEW}


def test_the_canary_has_one_pod_at_the_smallest_share_and_as_many_as_stable_at_the_greatest() -> (
    None
):
    world = at_rest(replicas=10, steps="0.1,pause,60,pause")
    world.set_image(NEW)
    world.play_until(Phase.PAUSED)
    assert world.ready()[NEW] == 1
    assert world.plan()["split"]["weight"] == 0.1
    world.give(CommandVerb.RESUME)
    world.play(lambda _: world.status.step_index == 3)
    assert world.ready()[NEW] == 6


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"clusterIP": "None"}, "Headless"),
        ({"type": "ExternalName", "externalName": "shop.example"}, "ExternalName"),
        ({"ports": [{"port": 53, "protocol": "UDP"}]}, "Port"),
        ({"ports": [{"port": 5432, "appProtocol": "postgresql"}]}, "Port"),
        ({"ports": [{"port": 80, "targetPort": "nobody"}]}, "Port"),
    ],
)
def test_what_routers_cannot_stand_in_front_of_is_refused_with_its_reason(
    spec: dict[str, Any], reason: str
) -> None:
    world = at_rest()
    seen = finished(world.read(world.stored.release.spec))
    assert seen.service is not None
    service = {**seen.service, "spec": {**seen.service["spec"], **spec}}
    obs = observe(world.stored.release, msgspec.structs.replace(seen, service=service)).observation
    assert reason in {f.reason for f in obs.findings if f.blocking}


def test_a_plan_shows_routers_come_and_go() -> None:
    world = at_rest()
    world.set_image(NEW)
    seen = finished(world.read(world.stored.release.spec))
    rehearsal = Rehearsal(world.stored.release, list(copies(seen)), world.now)
    assert finished(rehearsal.play()).decision.status.phase is Phase.HEALTHY
    whys = [planned.write.why for planned in rehearsal.writes]
    there = whys.index("point the Service to its 2 routers")
    assert there < whys.index("create the canary with 1 pod")
    assert there < whys.index("point the Service to its pods again")
