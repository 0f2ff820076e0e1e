"""A TrafficPlan is read whole, or refused with all that is wrong with it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serinus.api import traffic_plan
from serinus.assignment.intervals import Version
from serinus.errors import InvalidInput
from serinus.traffic.envoy.plan import Edge, Endpoint, Mirror, RetryOnStable, Timeouts
from tests.tidy import sources

PLAN: dict[str, Any] = {
    "apiVersion": "serinus.dev/v1alpha1",
    "kind": "TrafficPlan",
    "metadata": {"name": "shop", "namespace": "prod", "generation": 3},
    "spec": {
        "ports": [{"name": "http", "listen": 8080}],
        "split": {"salt": "prod/shop/7", "weight": 0.5},
        "stable": {"endpoints": {"http": ["[2001:db8::1]:80"]}},
        "canary": {"service": "shop-canary"},
        "retryOnStable": {"perTryTimeoutMs": 50},
        "mirror": {"weightBp": 10},
        "tagHeader": "X-Lane",
    },
}


def changed(**spec: Any) -> dict[str, Any]:
    made = copy.deepcopy(PLAN)
    made["spec"].update(spec)
    return made


def problems(found: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidInput) as refused:
        traffic_plan.decode(found)
    return refused.value.problems


def test_a_plan_is_read_with_its_defaults() -> None:
    found = traffic_plan.decode(PLAN)
    assert found.plan.name == "prod/shop"
    assert found.plan.split.weight_bp == 50
    assert found.plan.retry_on_stable == RetryOnStable(per_try_timeout_ms=50)
    assert found.plan.mirror == Mirror(10)
    assert (found.plan.timeouts, found.plan.edge) == (Timeouts(), Edge())
    assert found.plan.tag_header == "x-lane"
    assert found.endpoints == {("http", Version.STABLE): (Endpoint("2001:db8::1", 80),)}
    assert found.services == {Version.CANARY: "shop-canary"}
    assert found.generation == 3


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"ports": []}, "spec.ports: at least one is needed"),
        (
            {"ports": [{"name": "Http", "listen": 1}]},
            "spec.ports[0].name: 'Http' is not a label like `http`",
        ),
        (
            {"ports": [{"name": "a", "listen": 1}, {"name": "b", "listen": 1}]},
            "spec.ports: two have the same listen",
        ),
        ({"mirror": {"weightBp": 10_001}}, "spec.mirror.weightBp: 10001 must be 0 to 10000"),
        (
            {"retryOnStable": {"retryCountMax": 0}},
            "spec.retryOnStable.retryCountMax: 0 must be 1 to 5",
        ),
        ({"timeouts": {"requestMs": -1}}, "spec.timeouts.requestMs: -1 must be 0 or more"),
        ({"tagHeader": "a b"}, "spec.tagHeader: 'a b' is not a name (RFC 9110, 5.6.2)"),
        (
            {"repeatableMethods": []},
            "spec.repeatableMethods: retryOnStable and mirror need at least one",
        ),
        (
            {"canary": {"service": "a", "endpoints": {"http": []}}},
            "spec.canary: has both a service and endpoints; one of them counts",
        ),
        (
            {"canary": {"endpoints": {"web": []}}},
            "spec.canary.endpoints.web: no port has this name",
        ),
        (
            {"canary": {"endpoints": {"http": ["10.0.0.1"]}}},
            "spec.canary.endpoints.http[0]: '10.0.0.1' is not ADDRESS:PORT",
        ),
        (
            {"split": {"salt": "a", "weight": 101}},
            "spec.split.weight: 101 is outside 0..100",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_path(spec: dict[str, Any], problem: str) -> None:
    assert problem in problems(changed(**spec))


def test_all_problems_are_told_at_once() -> None:
    wrong = changed(mirror={"weightBp": -1}, tagHeader="", split={"salt": "a", "weight": 101})
    assert len(problems(wrong)) == 3


@pytest.mark.parametrize("found", [None, [], {"kind": "TrafficPlan"}])
def test_what_is_no_plan_is_refused(found: Any) -> None:
    assert problems(found)


def test_every_field_stands_in_the_reference() -> None:
    page = (sources.ROOT / "docs" / "reference" / "traffic-plan.md").read_text()
    kinds = (traffic_plan.Spec, traffic_plan.Backend, RetryOnStable, Mirror, Timeouts, Edge)
    fields = {name for kind in kinds for name in kind.__struct_encode_fields__}
    assert {name for name in fields if f"`{name}`" not in page} == set()
