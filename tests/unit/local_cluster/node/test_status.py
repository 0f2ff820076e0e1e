from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.local_cluster.node.pods import status
from serinus.local_cluster.node.pods.spec import Pod
from serinus.local_cluster.node.pods.state import ContainerView, Running, State, Terminated, Waiting

T0 = 1_764_000_000_000
WAITING, RUNNING = Waiting("ContainerCreating"), Running(T0)
DONE, FAILED = Terminated(0, "Completed", T0, T0), Terminated(1, "Error", T0, T0)
CRASHED = Waiting("CrashLoopBackOff")


def a_view(name: str, state: State, **more: Any) -> ContainerView:
    return ContainerView(name=name, image="nginx:1", state=state, **more)


def a_pod(policy: str = "Always", **more: Any) -> Pod:
    spec = {"containers": [{"name": "a"}], "restartPolicy": policy, **more.pop("spec", {})}
    return msgspec.convert({"metadata": {"name": "shop"}, "spec": spec, **more}, Pod)


def built(
    *containers: ContainerView,
    init: tuple[ContainerView, ...] = (),
    pod: Pod | None = None,
    before: tuple[dict[str, Any], ...] = (),
    now: int = T0,
    **more: Any,
) -> dict[str, Any]:
    view = status.PodView(
        pod=pod or a_pod(),
        init=init,
        containers=containers,
        started_at=T0,
        host_ip="127.0.0.1",
        pod_ip="127.1.0.2",
        **more,
    )
    return status.build(view, before, now)


def conditions(body: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in body["conditions"]}


@pytest.mark.parametrize(
    ("policy", "states", "phase"),
    [
        ("Always", [WAITING], "Pending"),
        ("Always", [RUNNING], "Running"),
        ("Always", [RUNNING, WAITING], "Pending"),
        ("Always", [DONE], "Running"),
        ("Always", [FAILED], "Running"),
        ("OnFailure", [DONE], "Succeeded"),
        ("OnFailure", [FAILED], "Running"),
        ("OnFailure", [DONE, RUNNING], "Running"),
        ("Never", [DONE], "Succeeded"),
        ("Never", [FAILED], "Failed"),
        ("Never", [DONE, FAILED], "Failed"),
        ("Never", [FAILED, RUNNING], "Running"),
    ],
)
def test_the_phase_follows_containers_and_policy(
    policy: str, states: list[State], phase: str
) -> None:
    views = [a_view(f"c{n}", state) for n, state in enumerate(states)]
    assert built(*views, pod=a_pod(policy))["phase"] == phase


def test_a_container_that_waits_for_its_next_run_keeps_the_pod_running() -> None:
    assert built(a_view("a", CRASHED, last_state=FAILED))["phase"] == "Running"


@pytest.mark.parametrize(
    ("state", "policy", "phase"),
    [
        (RUNNING, "Always", "Pending"),
        (FAILED, "Always", "Pending"),
        (FAILED, "Never", "Failed"),
        (DONE, "Always", "Running"),
    ],
)
def test_a_pod_is_pending_until_its_init_containers_are_through(
    state: State, policy: str, phase: str
) -> None:
    body = built(a_view("a", RUNNING), init=(a_view("i", state),), pod=a_pod(policy))
    assert body["phase"] == phase
    assert conditions(body)["Initialized"] == ("True" if state is DONE else "False")


def test_a_sidecar_must_have_started_and_counts_for_readiness() -> None:
    main = a_view("a", RUNNING, ready=True, started=True)

    def with_sidecar(**more: Any) -> dict[str, Any]:
        return built(main, init=(a_view("side", RUNNING, is_sidecar=True, **more),))

    assert with_sidecar()["phase"] == "Pending"
    assert conditions(with_sidecar(started=True))["Ready"] == "False"
    assert conditions(with_sidecar(started=True, ready=True))["Ready"] == "True"


def test_a_pod_is_ready_when_all_containers_are() -> None:
    body = built(a_view("a", RUNNING, ready=True), a_view("b", RUNNING))
    ready = next(c for c in body["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    assert ready["message"] == "containers with unready status: [b]"
    both = built(a_view("a", RUNNING, ready=True), a_view("b", RUNNING, ready=True))
    assert conditions(both)["Ready"] == conditions(both)["ContainersReady"] == "True"


def test_a_readiness_gate_holds_the_pod_back_until_somebody_sets_it() -> None:
    gate = {"readinessGates": [{"conditionType": "example.com/open"}]}
    main = a_view("a", RUNNING, ready=True)
    closed = conditions(built(main, pod=a_pod(spec=gate)))
    assert (closed["ContainersReady"], closed["Ready"]) == ("True", "False")
    told = {"conditions": [{"type": "example.com/open", "status": "True"}]}
    assert conditions(built(main, pod=a_pod(spec=gate, status=told)))["Ready"] == "True"


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    unready = built(a_view("a", RUNNING))
    later = built(a_view("a", RUNNING), before=tuple(unready["conditions"]), now=T0 + 60_000)
    assert later["conditions"] == unready["conditions"]
    ready = built(
        a_view("a", RUNNING, ready=True), before=tuple(unready["conditions"]), now=T0 + 60_000
    )
    times = {c["type"]: c["lastTransitionTime"] for c in ready["conditions"]}
    assert times["Ready"] == "2025-11-24T16:01:00Z"
    assert times["PodScheduled"] == "2025-11-24T16:00:00Z"


def test_a_failed_pod_says_why() -> None:
    body = built(a_view("a", RUNNING, ready=True), failure=("DeadlineExceeded", "too long"))
    assert (body["phase"], body["reason"], body["message"]) == (
        "Failed",
        "DeadlineExceeded",
        "too long",
    )
    assert conditions(body)["Ready"] == "False"


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "1"}}, "Guaranteed"),
        ({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}, "Burstable"),
    ],
)
def test_the_quality_of_service_follows_limits_and_requests(
    resources: dict[str, Any], expected: str
) -> None:
    pod = a_pod(spec={"containers": [{"name": "a", "resources": resources}]})
    assert status.qos_class(pod.spec) == expected
