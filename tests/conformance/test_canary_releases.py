"""What the definition of CanaryReleases lets through, fills in and refuses, without a webhook."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from serinus.api import codec, v1alpha1
from serinus.errors import Invalid
from serinus.install import crd
from serinus.install.settings import Settings
from tests.conformance.cluster import Cluster, Object

KIND = v1alpha1.PLURAL
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no target": ({"targetRef": None}, "spec.targetRef"),
    "no service": ({"service": None}, "spec.service"),
    "an empty target": ({"targetRef": {"name": ""}}, "spec.targetRef.name"),
    "a target that is no name": ({"targetRef": {"name": "Shop!"}}, "spec.targetRef.name"),
    "a target of another kind": (
        {"targetRef": {"name": "shop", "kind": "StatefulSet"}},
        'spec.targetRef.kind: Unsupported value: "StatefulSet": supported values: "Deployment"',
    ),
    "a target of another version": (
        {"targetRef": {"name": "shop", "apiVersion": "apps/v2"}},
        "spec.targetRef.apiVersion",
    ),
    "a service that is no name": ({"service": {"name": "a.b"}}, "spec.service.name"),
    "an unknown router": ({"router": {"type": "Sorcery"}}, 'supported values: "ReplicaRatio"'),
    "an unknown mode": (
        {"router": {"replicaRatio": {"mode": "Magic"}}},
        "spec.router.replicaRatio.mode",
    ),
    "a settle that is no duration": (
        {"router": {"replicaRatio": {"settle": "soon"}}},
        "spec.router.replicaRatio.settle",
    ),
    "an empty step": ({"steps": [{}]}, "needs exactly one of setWeight and pause"),
    "a step with both": (
        {"steps": [{"setWeight": 5, "pause": {}}]},
        "needs exactly one of setWeight and pause",
    ),
    "a negative weight": ({"steps": [{"setWeight": -1}]}, "greater than or equal to 0"),
    "a weight over 100": ({"steps": [{"setWeight": 100.5}]}, "less than or equal to 100"),
    "a weight in words": ({"steps": [{"setWeight": "5"}]}, "spec.steps[0].setWeight"),
    "a weight with three decimals": (
        {"steps": [{"setWeight": 0.125}]},
        "spec.steps[0].setWeight: Invalid value",
    ),
    "weights that fall": (
        {"steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 5.5}]},
        "weights may only grow from step to step",
    ),
    "a pause without an end in words": (
        {"steps": [{"pause": {"duration": "for ever"}}]},
        "spec.steps[0].pause.duration",
    ),
    "too many steps": ({"steps": [{"pause": {}}] * 101}, "must have at most 100 items"),
    "a weight that Surge cannot reach": (
        {"steps": [{"setWeight": 75}]},
        "router.replicaRatio.mode Surge reaches 50 and 100",
    ),
    "an unknown promotion": ({"promotion": {"method": "Hope"}}, "spec.promotion.method"),
    "a long undo window": ({"promotion": {"undoWindow": "1s" * 20}}, "spec.promotion.undoWindow"),
    "paused in words": ({"paused": "yes"}, "spec.paused"),
}


def a_release(**spec: Any) -> Object:
    body: Object = {
        "targetRef": {"name": "shop"},
        "service": {"name": "shop"},
        **spec,
    }
    return {
        "apiVersion": v1alpha1.API_VERSION,
        "kind": v1alpha1.KIND,
        "metadata": {"name": "shop"},
        "spec": {key: value for key, value in body.items() if value is not None},
    }


@pytest_asyncio.fixture
async def defined(cluster: Cluster) -> Cluster:
    async def gone() -> None:
        assert crd.NAME not in (await cluster.list("customresourcedefinitions")).names()

    # The case before may have left it to its finalizer.
    await cluster.eventually(gone)
    await cluster.define(crd.definition(Settings()))
    return cluster


async def test_what_is_left_out_is_filled_in(defined: Cluster) -> None:
    made = await defined.create(KIND, a_release(router={"replicaRatio": {}}))
    assert made["spec"] == {
        "targetRef": {"name": "shop", "apiVersion": "apps/v1", "kind": "Deployment"},
        "service": {"name": "shop"},
        "router": {
            "type": "ReplicaRatio",
            "replicaRatio": {"mode": "Surge", "settle": "2s", "allowCoarse": False},
        },
        "steps": [],
        "promotion": {"method": "Adopt", "undoWindow": "0s"},
        "abort": {"onProgressDeadline": True},
        "paused": False,
        "allowRecreate": False,
        "allowAutoscaler": False,
    }


async def test_what_is_filled_in_means_the_same_to_the_codec(defined: Cluster) -> None:
    written = a_release(steps=[{"setWeight": 0.29}, {"pause": {"duration": "1h30m"}}])
    made = await defined.create(KIND, written)
    assert codec.decode(made).spec == codec.decode(written).spec


async def test_every_weight_of_two_decimals_is_taken(defined: Cluster) -> None:
    for start in range(0, 5_000, v1alpha1.STEPS_MAX):
        weights = [bp / 100 for bp in range(start, start + v1alpha1.STEPS_MAX)]
        body = a_release(steps=[{"setWeight": weight} for weight in weights])
        made = await defined.create(KIND, body, dry_run=True)
        assert [step["setWeight"] for step in made["spec"]["steps"]] == weights


async def test_a_weight_of_100_is_taken_as_whole_or_broken_number(defined: Cluster) -> None:
    steps = [{"setWeight": 50}, {"setWeight": 100}, {"setWeight": 100.0}]
    made = await defined.create(KIND, a_release(steps=steps))
    assert [step["setWeight"] for step in made["spec"]["steps"]] == [50, 100, 100]


async def test_in_constant_mode_every_weight_is_possible(defined: Cluster) -> None:
    router = {"type": "ReplicaRatio", "replicaRatio": {"mode": "Constant"}}
    steps = [{"setWeight": 75}, {"pause": {"duration": "30s"}}, {"setWeight": 75}]
    made = await defined.create(KIND, a_release(router=router, steps=steps))
    assert [step.get("setWeight") for step in made["spec"]["steps"]] == [75, None, 75]


async def test_what_the_schema_and_its_rules_refuse(defined: Cluster) -> None:
    said = {what: await refusal(defined, **spec) for what, (spec, _) in REFUSED.items()}
    unsaid = {what: said[what] for what, (_, words) in REFUSED.items() if words not in said[what]}
    assert unsaid == {}


async def refusal(cluster: Cluster, **spec: Any) -> str:
    """Return why a release is refused; empty when it is not."""
    try:
        await cluster.create(KIND, a_release(**spec), dry_run=True)
    except Invalid as error:
        return str(error)
    return ""


async def test_the_target_stays_what_it_is(defined: Cluster) -> None:
    await defined.create(KIND, a_release())
    with pytest.raises(Invalid, match="cannot be changed; make another CanaryRelease"):
        await defined.patch(KIND, "shop", {"spec": {"targetRef": {"name": "other"}}})
    written = await defined.patch(KIND, "shop", {"spec": {"service": {"name": "other"}}})
    assert written["spec"]["service"] == {"name": "other"}


async def test_an_unknown_field_is_named(defined: Cluster) -> None:
    with pytest.raises(Invalid, match=r'unknown field "spec\.stepz"'):
        await defined.create(KIND, a_release(stepz=[]), field_validation="Strict")


async def test_the_status_is_written_beside_the_spec(defined: Cluster) -> None:
    made = await defined.create(KIND, a_release())
    status = {
        "phase": "Paused",
        "stepIndex": 0,
        "weight": 12.5,
        "shown": {"route": "*", "sinceTime": "2026-01-01T00:00:00.000000Z"},
        "history": [
            {
                "revision": "0123",
                "outcome": "Promoted",
                "startedTime": "2026-01-01T00:00:00.000000Z",
                "endedTime": "2026-01-01T00:00:00.000000Z",
                "message": "",
            }
        ],
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Healthy",
                "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
                "observedGeneration": 1,
            }
        ],
        "observedGeneration": 1,
        "inForceWeight": 12.5,
    }
    written = await defined.replace(KIND, {**made, "status": status}, subresource="status")
    assert written["status"] == status
    assert written["metadata"]["generation"] == 1
