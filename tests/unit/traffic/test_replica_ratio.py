"""The router of a plain Service: what it writes, and when it says that a plan is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.errors import UnknownName
from serinus.traffic import registry
from serinus.traffic.plan import Backend, Live, Role, RouteState, TrafficPlan
from serinus.traffic.pods import HASH_LABEL, is_ready
from serinus.traffic.replica_ratio import (
    ReplicaRatio,
    base_selector,
    narrowed_to,
    ready_endpoint_count,
    selects,
)
from serinus.traffic.router import Mode
from serinus.traffic.write import Verb

ROUTER = ReplicaRatio()
ALL_TO_STABLE = TrafficPlan.split("old", "new", 0)
ALL_TO_CANARY = TrafficPlan.split("old", "new", 10_000)
BOTH = TrafficPlan.split("old", "new", 2_500)


def a_service(**selector: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "shop", "namespace": "default", "resourceVersion": "7"},
        "spec": {"selector": {"app": "shop", **selector}},
    }


def narrowed(revision: str) -> dict[str, Any]:
    return a_service(**{HASH_LABEL: revision})


def a_pod(name: str, revision: str, *, ready: bool = True, leaving: bool = False) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}",
        "labels": {"app": "shop", HASH_LABEL: revision},
    }
    if leaving:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    status = "True" if ready else "False"
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": status}]}}


def an_endpoint(name: str, **conditions: bool) -> dict[str, Any]:
    return {"targetRef": {"uid": f"uid-{name}", "name": name}, "conditions": conditions}


def live(service: dict[str, Any] | None, *endpoints: dict[str, Any]) -> Live:
    return Live(
        service=service,
        slices=({"endpoints": list(endpoints)}, {"endpoints": None}),
        pods=(a_pod("a", "old"), a_pod("b", "new")),
    )


def test_between_0_and_100_nothing_is_written_to_an_open_service() -> None:
    assert ROUTER.render(BOTH, live(a_service())) == ()
    assert ROUTER.render(TrafficPlan.at_rest("old"), live(a_service())) == ()


@pytest.mark.parametrize(("plan", "revision"), [(ALL_TO_STABLE, "old"), (ALL_TO_CANARY, "new")])
def test_0_and_100_narrow_the_selector_at_the_version_that_was_read(
    plan: TrafficPlan, revision: str
) -> None:
    (write,) = ROUTER.render(plan, live(a_service()))
    assert write.verb is Verb.MERGE
    assert str(write.target) == "Service default/shop"
    assert write.body == {
        "metadata": {"resourceVersion": "7"},
        "spec": {"selector": {HASH_LABEL: revision}},
    }
    assert ROUTER.render(plan, live(narrowed(revision))) == ()


def test_an_open_plan_takes_the_hash_out_again() -> None:
    for plan in (BOTH, TrafficPlan.at_rest("old")):
        (write,) = ROUTER.render(plan, live(narrowed("old")))
        assert write.body["spec"] == {"selector": {HASH_LABEL: None}}
        assert "narrowed to old" in write.why
    (restored,) = ROUTER.restore(live(narrowed("new")))
    assert restored.body["spec"] == {"selector": {HASH_LABEL: None}}
    assert ROUTER.restore(live(a_service())) == ()


def test_without_a_service_nothing_is_written_and_the_plan_is_rejected() -> None:
    assert ROUTER.render(ALL_TO_STABLE, live(None)) == ()
    assert ROUTER.restore(live(None)) == ()
    report = ROUTER.report(ALL_TO_STABLE, live(None))
    assert (report.state, report.detail) == (RouteState.REJECTED, "the Service is gone")


def test_a_plan_is_pending_until_its_selector_is_written() -> None:
    assert ROUTER.report(ALL_TO_STABLE, live(a_service())).state is RouteState.PENDING
    assert ROUTER.report(BOTH, live(narrowed("old"))).state is RouteState.PENDING


def test_a_narrowed_plan_is_pending_while_another_revision_is_listed_ready_or_not() -> None:
    endpoints = (an_endpoint("a", ready=True), an_endpoint("b", ready=False))
    report = ROUTER.report(ALL_TO_STABLE, live(narrowed("old"), *endpoints))
    assert report.state is RouteState.PENDING
    assert "1 endpoint" in report.detail


def test_a_narrowed_plan_is_pending_until_an_endpoint_is_ready() -> None:
    for endpoints in ((), (an_endpoint("a", ready=False),)):
        report = ROUTER.report(ALL_TO_STABLE, live(narrowed("old"), *endpoints))
        assert (report.state, report.detail) == (RouteState.PENDING, "no endpoint is ready")


def test_a_narrowed_plan_is_shown_when_only_its_revision_is_listed() -> None:
    for endpoint in (an_endpoint("a", ready=True), an_endpoint("a")):
        report = ROUTER.report(ALL_TO_STABLE, live(narrowed("old"), endpoint))
        assert report.state is RouteState.SHOWN


def test_an_open_plan_is_shown_when_every_ready_pod_is_listed() -> None:
    listed = (an_endpoint("a", ready=True), an_endpoint("b", ready=True))
    assert ROUTER.report(BOTH, live(a_service(), *listed)).state is RouteState.SHOWN
    report = ROUTER.report(BOTH, live(a_service(), listed[0]))
    assert report.state is RouteState.PENDING
    assert report.detail.endswith("not listed yet: 1")


def test_a_ready_pod_that_is_listed_as_not_ready_gets_no_share_yet() -> None:
    listed = (an_endpoint("a", ready=True), an_endpoint("b", ready=False))
    assert ROUTER.report(BOTH, live(a_service(), *listed)).state is RouteState.PENDING


def test_pods_that_leave_or_are_not_ready_need_not_be_listed() -> None:
    seen = Live(
        service=a_service(),
        pods=(a_pod("a", "old", leaving=True), a_pod("b", "new", ready=False)),
    )
    assert ROUTER.report(BOTH, seen).state is RouteState.SHOWN


def test_the_owners_selector_is_read_without_our_hash() -> None:
    service = narrowed("old")
    assert base_selector(service) == {"app": "shop"}
    assert narrowed_to(service) == "old"
    assert narrowed_to({"spec": {}}) is None
    assert selects(service, {"app": "shop", "tier": "web"})
    assert not selects(service, {"app": "other"})


def test_a_service_without_a_selector_selects_nothing() -> None:
    assert not selects({"spec": {"selector": None}}, {"app": "shop"})


def test_readiness_is_the_condition_of_a_pod_that_stays() -> None:
    assert is_ready(a_pod("a", "old"))
    assert not is_ready(a_pod("a", "old", ready=False))
    assert not is_ready(a_pod("a", "old", leaving=True))
    assert not is_ready({"metadata": {"name": "a"}})


def test_ready_endpoints_are_counted_by_revision() -> None:
    endpoints = (an_endpoint("a", ready=True), an_endpoint("b", ready=False))
    seen = live(a_service(), *endpoints)
    assert (ready_endpoint_count(seen, "old"), ready_endpoint_count(seen, "new")) == (1, 0)


def test_routers_are_found_by_name_and_an_unknown_one_names_those_there_are() -> None:
    router = registry.router("ReplicaRatio")
    assert router.capabilities.weights_follow_replicas
    assert router.capacity(3, 2_500, mode=Mode.SURGE, surge=True).canary == 1
    with pytest.raises(UnknownName, match=r"unknown router 'Istio'; known: Envoy, ReplicaRatio"):
        registry.router("Istio")


@given(st.integers(0, 10_000))
def test_the_weights_of_a_split_add_up(weight_bp: int) -> None:
    plan = TrafficPlan.split("old", "new", weight_bp)
    assert sum(backend.weight_bp for backend in plan.backends) == 10_000
    assert plan.canary_weight_bp == weight_bp
    sole = {0: "old", 10_000: "new"}.get(weight_bp)
    assert plan.sole_revision == sole


def test_at_rest_no_revision_is_alone_and_nothing_is_narrowed() -> None:
    plan = TrafficPlan.at_rest("old")
    assert plan.sole_revision is None
    assert plan.canary_weight_bp == 0


@pytest.mark.parametrize("weights", [(5_000, 4_999), (10_001, -1), (0, 0)])
def test_a_plan_whose_weights_are_wrong_cannot_be_made(weights: tuple[int, int]) -> None:
    stable, canary = weights
    with pytest.raises(ValueError, match="weight"):
        TrafficPlan((Backend(Role.STABLE, "old", stable), Backend(Role.CANARY, "new", canary)))
