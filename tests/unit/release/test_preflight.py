"""What about a cluster a release must respect: one sentence for each."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.kubernetes_model.kinds import POD_DISRUPTION_BUDGETS
from serinus.release.neighbours.budgets import allowed_count
from serinus.release.observation import Finding
from serinus.release.preflight import Surroundings, findings, not_narrowable
from serinus.traffic.router import Mode
from tests.unit.kubernetes_model.workloads.world import a_deployment as a_deployment_of_pods
from tests.unit.release.world import ReleaseWorld, a_spec

Object = dict[str, Any]


def a_service(name: str = "shop", **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"selector": {"app": "shop"}, **spec}}


def a_deployment(name: str = "shop", **spec: Any) -> Object:
    probed = {"name": "web", "readinessProbe": {"httpGet": {"port": 80}}}
    template = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [probed]}}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "spec": {"replicas": 3, "template": template, **spec},
    }


def applied(found: Object, field: str, manager: str = "flux", operation: str = "Apply") -> Object:
    """Return the object with a field of its spec owned by a manager."""
    entry = {
        "manager": manager,
        "operation": operation,
        "fieldsV1": {"f:spec": {field: {}}},
    }
    return {**found, "metadata": {**found["metadata"], "managedFields": [entry]}}


def an_autoscaler(percent_used: int | None = None, name: str = "shop") -> Object:
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}}
    current = {"type": "Resource", "resource": {"name": "cpu", "current": {}}}
    if percent_used is not None:
        current["resource"] = {"name": "cpu", "current": {"averageUtilization": percent_used}}
    return {
        "metadata": {"name": "shop-hpa"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": name}, "metrics": [metric]},
        "status": {"currentMetrics": [current]},
    }


def around(**changes: Any) -> Surroundings:
    """Return surroundings in which there is nothing to say."""
    service = a_service()
    plain = Surroundings(
        target=a_deployment(),
        service=service,
        services=(service,),
        autoscalers=(),
        deployments=(),
        replica_sets=(),
        slices=(),
        pods=(),
        replica_count=3,
        surge=True,
    )
    return msgspec.structs.replace(plain, **changes)


def the_one(around: Surroundings, steps: str = "50", **spec: Any) -> Finding:
    (found,) = findings(a_spec(steps, **spec), around)
    return found


def test_an_ordinary_pair_of_deployment_and_service_needs_no_words() -> None:
    assert findings(a_spec("25,pause,50,100"), around()) == ()


def test_a_service_that_is_not_there_is_refused() -> None:
    found = the_one(around(service=None))
    assert found == Finding(
        "ServiceMissing",
        "spec.service.name: Service shop is not there; create it, or name the one in front of "
        "the pods",
        blocking=True,
    )


@pytest.mark.parametrize(
    ("selector", "words"), [({"app": "other"}, "app=other"), ({}, "nothing"), (None, "nothing")]
)
def test_a_service_that_selects_other_pods_is_refused(selector: Any, words: str) -> None:
    found = the_one(around(service=a_service(selector=selector)))
    assert found == Finding(
        "ServiceDoesNotSelect",
        f"spec.service.name: Service shop selects {words}, not the pods of Deployment shop; name "
        "one that selects them",
        blocking=True,
    )


def test_clients_that_stick_to_a_pod_are_refused_unless_coarse_is_good_enough() -> None:
    sticky = around(service=a_service(sessionAffinity="ClientIP"))
    found = the_one(sticky)
    assert (found.reason, found.blocking) == ("SessionAffinity", True)
    assert "clients of before never see the canary; --allow-coarse" in found.message
    assert not the_one(sticky, allow_coarse=True).blocking


def test_other_services_over_the_same_pods_are_told() -> None:
    services = (a_service(), a_service("b"), a_service("a"), a_service("c", selector={"x": "y"}))
    found = the_one(around(services=services))
    assert found == Finding("OtherServices", "the same pods also serve Service a, b")


def test_another_owner_of_the_hold_is_refused() -> None:
    found = the_one(around(target=applied(a_deployment(), "f:paused")))
    assert found == Finding(
        "PausedByOther",
        "field manager 'flux' owns spec.paused of Deployment shop by server-side apply; take the "
        "field out of its manifest",
        blocking=True,
    )


@pytest.mark.parametrize(
    "target",
    [
        applied(a_deployment(), "f:paused", manager="serinus"),
        applied(a_deployment(), "f:paused", operation="Update"),
        applied(a_deployment(), "f:replicas"),
    ],
)
def test_our_own_hold_and_other_fields_are_no_obstacle(target: Object) -> None:
    assert findings(a_spec("50"), around(target=target)) == ()


def test_versions_that_must_not_coexist_are_refused_unless_they_may() -> None:
    target = a_deployment(strategy={"type": "Recreate"})
    found = the_one(around(target=target))
    assert found == Finding(
        "Recreate",
        "Deployment shop has strategy Recreate: its versions must not run side by side; "
        "--allow-recreate says they may",
        blocking=True,
    )
    assert findings(a_spec("50", allow_recreate=True), around(target=target)) == ()


def test_a_deployment_without_history_is_told_of() -> None:
    found = the_one(around(target=a_deployment(revisionHistoryLimit=0)))
    assert (found.reason, found.blocking) == ("NoHistory", False)
    assert "revisionHistoryLimit: 0: scaled to zero while held, no pod would start" in found.message


def test_pods_that_nothing_asks_whether_they_are_ready_are_told_of() -> None:
    blind = a_deployment()
    blind["spec"]["template"]["spec"] = {"containers": [{"name": "web"}, {"name": "log"}]}
    found = the_one(around(target=blind))
    assert (found.reason, found.blocking) == ("NoReadinessProbe", False)
    assert "gets requests as soon as its process starts" in found.message


@pytest.mark.parametrize(
    "pod",
    [
        {"containers": [{"name": "log"}, {"name": "web", "readinessProbe": {"grpc": {}}}]},
        {"containers": [{"name": "web"}], "readinessGates": [{"conditionType": "warm"}]},
    ],
)
def test_one_probe_or_gate_is_enough_to_say_nothing(pod: Object) -> None:
    target = a_deployment()
    target["spec"]["template"]["spec"] = pod
    assert findings(a_spec("25"), around(target=target)) == ()


def test_the_name_of_the_canary_must_be_free_or_ours() -> None:
    stranger = a_deployment("shop-rev1")
    found = the_one(around(deployments=(stranger,)))
    assert found == Finding(
        "NameTaken",
        "the canary would be called shop-rev1, and a Deployment of that name is there that is not "
        "ours",
        blocking=True,
    )
    ours = {
        **stranger,
        "metadata": {"name": "shop-rev1", "labels": {"serinus.dev/canary-of": "shop"}},
    }
    assert findings(a_spec("50"), around(deployments=(ours,))) == ()


def test_one_pod_without_surge_cannot_be_shared_out() -> None:
    alone = around(replica_count=1, surge=False)
    found = the_one(alone, mode=Mode.CONSTANT)
    assert found == Finding(
        "OnePod",
        "Constant mode cannot share one pod out, and the strategy allows no surge; use Surge mode",
        blocking=True,
    )
    assert findings(a_spec("50"), alone) == ()


def test_a_share_that_the_replicas_cannot_express_names_how_many_could() -> None:
    found = the_one(around(), "5,50")
    assert found == Finding(
        "Weight",
        "spec.steps[0].setWeight: 3 replicas cannot express 5 %: the nearest is 25 %. 6 replicas "
        "would do; --allow-coarse goes on all the same",
        blocking=True,
    )
    assert findings(a_spec("5,50", allow_coarse=True), around()) == ()
    assert findings(a_spec("5,50"), around(replica_count=6)) == ()


def test_a_share_beyond_surge_mode_is_refused_also_where_coarse_is_allowed() -> None:
    found = the_one(around(), "50,75", allow_coarse=True)
    assert found == Finding(
        "Weight",
        "spec.steps[1].setWeight: 75 % is more than Surge mode reaches (50 %, as many canary pods "
        "as stable ones): use --mode constant",
        blocking=True,
    )


@pytest.mark.parametrize("steps", ["0", "100", "0,100"])
def test_0_and_100_are_exact_with_any_number_of_replicas(steps: str) -> None:
    assert findings(a_spec(steps), around(replica_count=1)) == ()


def test_nothing_is_too_coarse_for_no_replicas() -> None:
    assert findings(a_spec("1"), around(replica_count=0)) == ()


def test_an_autoscaler_and_constant_mode_do_not_go_together() -> None:
    found = the_one(around(autoscalers=(an_autoscaler(),)), mode=Mode.CONSTANT)
    assert found == Finding(
        "AutoscalerOwnsReplicas",
        "HorizontalPodAutoscaler shop-hpa scales Deployment shop: Constant mode would fight it; "
        "use Surge mode",
        blocking=True,
    )


def test_an_autoscaler_that_would_run_away_with_the_canary_is_refused() -> None:
    busy = around(autoscalers=(an_autoscaler(45),))
    found = the_one(busy)
    assert found == Finding(
        "HPACountsCanary",
        "HorizontalPodAutoscaler shop-hpa counts the canary's pods as stable's: at 90 % of its "
        "target and 3 canary pods it would scale 3 to 6 and on; --allow-autoscaler goes on all the "
        "same",
        blocking=True,
    )
    assert not the_one(busy, allow_autoscaler=True).blocking


@pytest.mark.parametrize(
    "autoscaler", [an_autoscaler(25), an_autoscaler(None), an_autoscaler(90, name="other")]
)
def test_an_autoscaler_that_stays_where_it_is_needs_no_words(autoscaler: Object) -> None:
    assert findings(a_spec("50"), around(autoscalers=(autoscaler,))) == ()


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("resource", {"name": "memory"}),
        ("containerResource", {"name": "memory", "container": "web"}),
        ("pods", {"metric": {"name": "rps"}}),
    ],
)
def test_an_autoscaler_by_amounts_for_each_pod_is_judged_too(kind: str, source: Object) -> None:
    target = {"type": "AverageValue", "averageValue": "100Mi"}
    autoscaler = an_autoscaler()
    autoscaler["spec"]["metrics"] = [{kind: {**source, "target": target}}]
    used = {kind: {**source, "current": {"averageValue": "89128960"}}}
    autoscaler["status"]["currentMetrics"] = [used]
    found = the_one(around(autoscalers=(autoscaler,)))
    assert "at 85 % of its target and 3 canary pods it would scale 3 to 6" in found.message


def test_an_autoscaler_of_other_metrics_cannot_be_judged() -> None:
    metrics = [{"type": "Pods", "pods": {"metric": {"name": "rps"}}}]
    autoscaler = an_autoscaler(90)
    autoscaler["spec"]["metrics"] = metrics
    assert findings(a_spec("50"), around(autoscalers=(autoscaler,))) == ()


def test_without_weights_the_promotion_alone_is_counted_by_an_autoscaler() -> None:
    found = the_one(around(autoscalers=(an_autoscaler(45),)), "pause")
    assert "3 canary pods it would scale 3 to 6" in found.message


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"service": applied(a_service(), "f:selector")},
            "field manager 'flux' owns the selector of Service shop by server-side apply",
        ),
        (
            {"service": a_service(clusterIP="None")},
            "Service shop is headless: clients remember pod addresses",
        ),
        (
            {"service": a_service(publishNotReadyAddresses=True)},
            "Service shop publishes addresses that are not ready",
        ),
        (
            {
                "slices": (
                    {"endpoints": [{"targetRef": {"uid": "x", "name": "guest"}}, {}]},
                    {"endpoints": None},
                )
            },
            "Service shop also sends to guest, ?, which belong to neither revision",
        ),
    ],
)
def test_where_the_selector_must_not_be_narrowed_0_and_100_are_not_exact(
    changes: Any, why: str
) -> None:
    found = the_one(around(**changes))
    assert found == Finding("NarrowNever", f"{why}: 0 and 100 % are not exact")


@pytest.mark.parametrize("name", ["shop-65695-x2x4z", "shop-rev2-6f5f7-b7k9m"])
def test_a_pod_of_ours_that_is_gone_or_not_seen_yet_does_not_keep_the_service_wide(
    name: str,
) -> None:
    # Pods and endpoints are followed by watches of their own: one may show what the other does not.
    sets = tuple(
        {
            "metadata": {
                "name": set_name,
                "ownerReferences": [{"uid": owner, "controller": True}],
            }
        }
        for set_name, owner in (("shop-65695", "uid-shop"), ("shop-rev2-6f5f7", "uid-shop-rev2"))
    )
    canary = a_deployment("shop-rev2")
    canary["metadata"]["labels"] = {"serinus.dev/canary-of": "shop"}
    endpoint = {"targetRef": {"uid": "not-among-the-pods", "name": name}}
    surroundings = around(
        deployments=(a_deployment(), canary),
        replica_sets=sets,
        slices=({"endpoints": [endpoint]},),
    )
    assert not_narrowable(surroundings) == []


def test_what_blocks_comes_first() -> None:
    found = findings(
        a_spec("5"),
        around(target=a_deployment(revisionHistoryLimit=0), service=a_service(clusterIP="None")),
    )
    assert [(f.reason, f.blocking) for f in found] == [
        ("Weight", True),
        ("NoHistory", False),
        ("NarrowNever", False),
    ]


def a_budget(**spec: Any) -> Object:
    return {"metadata": {"name": "shop-pdb"}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({"minAvailable": 1}, 5),
        ({"minAvailable": 3}, 3),
        ({"minAvailable": "50%"}, 3),
        ({"minAvailable": "34%"}, 3),
        ({"maxUnavailable": 3}, 3),
        ({"maxUnavailable": "50%"}, 3),
        ({"maxUnavailable": "100%"}, 6),
        ({}, 5),
    ],
)
def test_a_budget_that_lets_every_pod_that_serves_go_is_told_of(spec: Any, count: int) -> None:
    found = the_one(around(budgets=(a_budget(**spec),)))
    assert found == Finding(
        "BudgetCountsBoth",
        "PodDisruptionBudget shop-pdb counts the pods of both revisions: while 3 of 6 have all "
        f"the traffic it lets {count} be evicted, and so every one that serves",
    )


@pytest.mark.parametrize(
    "spec",
    [
        {"minAvailable": 4},
        {"minAvailable": 10},
        {"minAvailable": "51%"},
        {"maxUnavailable": 0},
        {"maxUnavailable": 1},
        {"maxUnavailable": "30%"},
    ],
)
def test_a_budget_that_always_leaves_a_pod_that_serves_needs_no_words(spec: Any) -> None:
    assert findings(a_spec("50"), around(budgets=(a_budget(**spec),))) == ()


def test_a_budget_is_no_matter_where_nothing_runs_or_nothing_is_narrowed() -> None:
    budgets = (a_budget(minAvailable=1),)
    assert findings(a_spec("50"), around(budgets=budgets, replica_count=0)) == ()
    service = a_service(clusterIP="None")
    headless = around(budgets=budgets, service=service, services=(service,))
    assert the_one(headless).reason == "NarrowNever"


@pytest.mark.parametrize("field", ["minAvailable", "maxUnavailable"])
@pytest.mark.parametrize("value", [0, 1, 2, 5, 7, "0%", "1%", "34%", "50%", "67%", "100%"])
def test_what_a_budget_allows_is_what_kubernetes_makes_of_it(field: str, value: Any) -> None:
    world = ReleaseWorld(replicas=3)
    world.apply(a_deployment_of_pods("canary"))
    world.quiet()
    spec = {"selector": {"matchLabels": {"app": "shop"}}, field: value}
    made = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    world.apply({**made, "metadata": {"name": "pdb", "namespace": "default"}, "spec": spec})
    world.quiet()
    status = world.get(POD_DISRUPTION_BUDGETS, "pdb")["status"]
    assert status["expectedPods"] == status["currentHealthy"] == 6
    assert status["disruptionsAllowed"] == allowed_count(spec, 6)
