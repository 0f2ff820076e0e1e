"""Every action of a release as the writes that leave the program."""

from __future__ import annotations

import msgspec
import pytest
import yaml

from serinus.api.codec import Release
from serinus.controller.kubernetes import record
from serinus.errors import InvariantViolation
from serinus.release import decision as d
from serinus.release.model import (
    Command,
    CommandVerb,
    Ended,
    Outcome,
    Phase,
    Progress,
    Shown,
    Status,
    Waiting,
)
from serinus.release.observation import HoldBy, Objects
from serinus.release.render import canary_manifest, canary_name, writes
from serinus.traffic.naming import shorten
from serinus.traffic.plan import Live, TrafficPlan
from tests.golden.conftest import CASES, Compare
from tests.unit.release.world import a_spec

ACTIONS: dict[str, d.Action] = {
    "hold": d.Hold(),
    "resume": d.Resume(),
    "guard": d.Guard(),
    "let-go": d.LetGo(lift=True),
    "let-go-and-keep": d.LetGo(lift=False),
    "narrow": d.SetTraffic(TrafficPlan.split("bbbb", "dddd", 10_000)),
    "widen": d.SetTraffic(TrafficPlan.at_rest("bbbb")),
    "restore-route": d.RestoreRoute(),
    "create-canary": d.CreateCanary(replica_count=1),
    "scale-canary": d.ScaleCanary(replica_count=3),
    "scale-stable": d.ScaleStable(replica_count=2),
    "orphan-canary": d.OrphanCanary(),
    "delete-canary": d.DeleteCanary(),
    "delete-replica-set": d.DeleteReplicaSet("shop-cccc"),
    "empty-replica-set": d.EmptyReplicaSet("shop-aaaa"),
    "set-template": d.SetTemplate("shop-bbbb"),
}


@pytest.fixture(scope="module")
def objects() -> Objects:
    found = yaml.safe_load((CASES / "shop.in.yaml").read_text())
    live = Live(service=found["service"])
    return Objects(found["target"], found["canary"], tuple(found["replica_sets"]), live)


def test_every_action_has_its_golden_file() -> None:
    assert {type(action) for action in ACTIONS.values()} == set(d.Action.__args__)


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_becomes_these_writes(name: str, objects: Objects, golden: Compare) -> None:
    made = writes(ACTIONS[name], a_spec(), objects)
    golden(f"write-{name}", [msgspec.to_builtins(write) for write in made])


POLICY = ["hold", "resume", "guard", "let-go", "let-go-and-keep"]


@pytest.mark.parametrize("name", POLICY)
def test_under_the_policy_the_hold_is_a_label(name: str, objects: Objects, golden: Compare) -> None:
    under_policy = msgspec.structs.replace(objects, hold_by=HoldBy.POLICY)
    made = writes(ACTIONS[name], a_spec(), under_policy)
    golden(f"policy-{name}", [msgspec.to_builtins(write) for write in made])


def test_the_canary_of_a_deployment(objects: Objects, golden: Compare) -> None:
    golden("canary", canary_manifest(objects, 2))


def test_the_record_of_a_release(golden: Compare) -> None:
    day = 1_767_225_600_000
    status = Status(
        phase=Phase.PAUSED,
        revision="0123456789abcdef",
        generation=7,
        step_index=1,
        weight_bp=2_500,
        stable_hash="bbbb",
        canary_hash="cccc",
        held_by_person=True,
        pause_until_ms=day + 30_000,
        shown=Shown("*", day + 5),
        progress=Progress(1, 3, day + 600_000),
        started_ms=day,
        waiting=Waiting("WaitingForPerson", "paused: resume to go on", day + 7_000),
        last_command=Outcome("1", CommandVerb.PAUSE, accepted=True),
        history=(Ended("fedcba9876543210", "Promoted", day - 9_000, day - 1_000, "all is new"),),
    )
    command = Command("2", CommandVerb.SET_WEIGHT, "0123456789abcdef", weight_bp=1_250)
    release = Release("shop", "default", a_spec("25,pause:30s,50,pause"), status, command)
    made = record.to_config_map(release, "77")
    assert record.from_config_map(made) == release
    made["data"] = {key: msgspec.json.decode(text) for key, text in made["data"].items()}
    golden("record", made)


def test_an_object_that_is_gone_needs_no_write(objects: Objects) -> None:
    gone = Objects(objects.target, None, (), Live())
    kinds = (d.ScaleCanary, d.OrphanCanary, d.DeleteCanary, d.DeleteReplicaSet, d.EmptyReplicaSet)
    for action in ACTIONS.values():
        if isinstance(action, (*kinds, d.SetTemplate, d.SetTraffic, d.RestoreRoute)):
            assert writes(action, a_spec(), gone) == ()


@pytest.mark.parametrize("name", ["hold", "resume", "scale-stable", "create-canary"])
def test_without_its_deployment_an_action_is_a_defect(name: str, objects: Objects) -> None:
    gone = Objects(None, None, objects.replica_sets, Live())
    with pytest.raises(InvariantViolation, match="needs the Deployment"):
        writes(ACTIONS[name], a_spec(), gone)


def test_names_that_are_too_long_keep_their_difference() -> None:
    one, other = ("checkout-" * 8 + end for end in ("a", "b"))
    assert len(shorten(one, 40)) <= 40
    assert shorten(one, 40) != shorten(other, 40)
    assert shorten("shop", 40) == "shop"
    target = {"metadata": {"name": one, "uid": "u"}}
    name = canary_name(target, ())
    assert name.endswith("-rev1")
    assert len(name) <= 46
