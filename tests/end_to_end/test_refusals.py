"""What the state of the cluster does not allow: exit 1, one clear message, nothing changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.end_to_end.kubectl_session import Kubectl, kubectl, kubectl_anywhere, local_cluster
from tests.end_to_end.terminal import REFUSED, Terminal, create, deployment, service

__all__ = ["kubectl", "kubectl_anywhere", "local_cluster"]
pytestmark = pytest.mark.xdist_group("local-cluster")

NO_PROCESS = "example.invalid/idle:1"
"""Nothing plays this image: the cases below need objects, not pods that serve."""
RELEASE = ("release", "shop", "web=nginx:1.8.0")


def shop(name: str = "shop", **more: Any) -> dict[str, Any]:
    return deployment(name, **{"image": NO_PROCESS, **more})


def canary(name: str = "shop-canary", **more: Any) -> dict[str, Any]:
    return shop(name, **{"replicas": 1, "labels": {"track": name}, **more})


def autoscaler(used_percent: int | None = None) -> dict[str, Any]:
    """Return an HPA over `shop` that wants 70 % of its CPU, and may know how much is used."""
    target = {"type": "Utilization", "averageUtilization": 70}
    resource = {"name": "cpu", "target": target}
    found: dict[str, Any] = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "shop"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
            "minReplicas": 1,
            "maxReplicas": 30,
            "metrics": [{"type": "Resource", "resource": resource}],
        },
    }
    if used_percent is not None:
        current = {"averageUtilization": used_percent, "averageValue": "50m"}
        metric = {"type": "Resource", "resource": {"name": "cpu", "current": current}}
        found["status"] = {"currentMetrics": [metric], "currentReplicas": 4, "desiredReplicas": 4}
    return found


def with_objects(kubectl: Kubectl, *objects: dict[str, Any]) -> Terminal:
    create(kubectl, *objects)
    return Terminal(kubectl)


@pytest.mark.parametrize(
    "verb",
    [
        ["status"],
        ["release", "--weight", "25"],
        ["plan", "--weight", "25"],
        ["set-weight", "--", "nothing", "25"],
        ["promote"],
        ["abort"],
        ["resume"],
        ["leave"],
    ],
)
def test_an_unknown_deployment_is_refused_with_those_that_are_there(
    kubectl: Kubectl, verb: list[str]
) -> None:
    terminal = with_objects(kubectl, shop(replicas=0), shop("web", replicas=0), service("shop"))
    words = verb if "nothing" in verb else [*verb, "nothing"]
    says = f"Deployment nothing is not there in namespace {kubectl.namespace}; there are: shop, web"
    terminal.refused(*words, code=REFUSED, says=says)


def test_an_empty_namespace_is_named(kubectl: Kubectl) -> None:
    terminal = Terminal(kubectl)
    says = f"Deployment shop is not there in namespace {kubectl.namespace}; it has no Deployment"
    for verb in ("status", "promote"):
        terminal.refused(verb, "shop", code=REFUSED, says=says)
    terminal.refused(
        "history",
        "shop",
        code=REFUSED,
        says=f"there was no release of shop in namespace {kubectl.namespace}",
    )


def test_a_namespace_that_is_not_there_is_named(kubectl: Kubectl) -> None:
    terminal = Terminal(kubectl.within("nowhere"))
    terminal.refused("promote", "shop", code=REFUSED, says="namespace nowhere")


def test_an_unknown_service_is_refused_with_those_that_are_there(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(), canary(), service("shop"))
    says = "Service nothing is not there; there are: shop"
    for verb in (("status", "shop"), ("promote", "shop"), (*RELEASE, "--weight", "25")):
        terminal.refused(*verb, "--service", "nothing", code=REFUSED, says=says)


def test_a_service_over_other_pods_is_refused_with_what_it_selects(kubectl: Kubectl) -> None:
    terminal = with_objects(
        kubectl, shop(), canary(), service("shop"), service("web", {"app": "web"})
    )
    says = "Service web selects app=web, not the pods of Deployment shop"
    for verb in (("status", "shop"), ("promote", "shop"), (*RELEASE, "--weight", "25")):
        terminal.refused(*verb, "--service", "web", code=REFUSED, says=says)


def test_a_deployment_without_a_service_is_refused(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(), canary(), service("web", {"app": "web"}))
    says = "no Service selects the pods of Deployment shop; make one first"
    for verb in (("status", "shop"), ("abort", "shop"), (*RELEASE, "--weight", "25")):
        terminal.refused(*verb, code=REFUSED, says=says)


def test_several_services_are_named_and_one_of_them_may_be_chosen(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(), canary(), service("shop"), service("shop-admin"))
    says = "the pods of Deployment shop are behind shop, shop-admin: say which with --service"
    for verb in (("status", "shop"), ("promote", "shop"), (*RELEASE, "--weight", "25")):
        terminal.refused(*verb, code=REFUSED, says=says)
    chosen = terminal(*RELEASE, "--weight", "25", "--service", "shop", "--dry-run", "client")
    assert "OtherServices: the same pods also serve Service shop-admin" in chosen.stderr


def test_two_candidates_for_a_pair_are_named(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(), canary(), canary("shop-blue"), service("shop"))
    says = (
        "Service shop selects the pods of shop and of shop-blue, shop-canary: a pair is two "
        "Deployments"
    )
    for verb in ("status", "promote", "abort"):
        terminal.refused(verb, "shop", code=REFUSED, says=says)


def test_a_verb_on_a_pair_without_a_canary_is_refused(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(), service("shop"))
    says = "there is no second Deployment behind Service shop: apply the canary's manifest, or let"
    for verb in (["promote", "shop"], ["abort", "shop"], ["set-weight", "shop", "25"]):
        terminal.refused(*verb, code=REFUSED, says=says)


@pytest.mark.parametrize("verb", ["resume", "pause", "skip", "retry", "undo", "restart", "leave"])
def test_a_verb_of_releases_without_a_release_says_how_to_begin_one(
    kubectl: Kubectl, verb: str
) -> None:
    terminal = with_objects(kubectl, shop(replicas=0), service("shop"))
    says = "there is no release of shop; serinus release shop ... begins one"
    terminal.refused(verb, "shop", code=REFUSED, says=says)


def test_a_share_beyond_the_replicas_is_refused_with_how_many_would_do(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(replicas=1), canary(), service("shop"))
    says = (
        "1 replica cannot express 5 %: the nearest is 50 %. 6 replicas would do; --allow-coarse "
        "goes on all the same"
    )
    terminal.refused("set-weight", "shop", "5", code=REFUSED, says=says)
    terminal.refused(
        *(*RELEASE, "--weight", "5"), code=REFUSED, says=f"spec.steps[0].setWeight: {says}"
    )
    done = terminal(*RELEASE, "--weight", "5", "--allow-coarse", "--dry-run", "client")
    assert "error" not in done.stderr


def test_the_named_number_of_replicas_does_express_the_share(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(replicas=6), service("shop"))
    terminal(*RELEASE, "--weight", "5", "--dry-run", "client")
    kubectl("scale", "deployment/shop", "--replicas=5")
    terminal.refused(*RELEASE, "--weight", "5", code=REFUSED, says="6 replicas would do")


def test_more_than_half_is_refused_beside_a_whole_stable(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(), canary(), service("shop"))
    terminal.refused(
        *(*RELEASE, "--steps", "25,60"),
        code=REFUSED,
        says="spec.steps[1].setWeight: 60 % is more than Surge mode reaches (50 %, as many canary "
        "pods as stable ones): use --mode constant",
    )
    terminal.refused(
        *("set-weight", "shop", "60"),
        code=REFUSED,
        says="60 % is more than a pair reaches (50 %, as many canary pods as stable ones)",
    )
    terminal.refused(
        *("set-weight", "shop", "100"),
        code=REFUSED,
        says="100 % for good is a promotion: serinus promote shop",
    )
    terminal(*RELEASE, "--steps", "25,60", "--mode", "constant", "--dry-run", "client")


def test_constant_mode_is_refused_where_an_autoscaler_owns_the_replicas(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(), service("shop"), autoscaler())
    terminal.refused(
        *(*RELEASE, "--weight", "25", "--mode", "constant"),
        code=REFUSED,
        says="HorizontalPodAutoscaler shop scales Deployment shop: Constant mode would fight it; "
        "use Surge mode",
    )
    terminal(*RELEASE, "--weight", "25", "--dry-run", "client")


def test_constant_mode_cannot_share_one_pod_out(kubectl: Kubectl) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    terminal = with_objects(kubectl, shop(replicas=1, strategy=strategy), service("shop"))
    terminal.refused(
        *(*RELEASE, "--weight", "50", "--mode", "constant"),
        code=REFUSED,
        says="Constant mode cannot share one pod out, and the strategy allows no surge; use Surge",
    )


def test_an_autoscaler_that_would_count_the_canary_is_refused_with_how_far_it_goes(
    kubectl: Kubectl,
) -> None:
    terminal = with_objects(kubectl, shop(replicas=4), service("shop"), autoscaler())
    status = {"status": autoscaler(60)["status"]}
    kubectl(
        *("patch", "hpa", "shop", "--subresource=status", "--type=merge"),
        *("-p", json.dumps(status)),
    )
    words = terminal.refused(
        *(*RELEASE, "--weight", "50"),
        code=REFUSED,
        says="HorizontalPodAutoscaler shop counts the canary's pods as stable's: at 86 % of its "
        "target and 4 canary pods it would scale 4 to 7 and on; --allow-autoscaler goes on",
    )
    assert words.count("HorizontalPodAutoscaler") == 1
    terminal(*RELEASE, "--weight", "50", "--allow-autoscaler", "--dry-run", "client")


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
@pytest.mark.parametrize("verb", [["status"], ["release", "--weight", "25"], ["promote"]])
def test_a_name_of_another_kind_is_refused_with_the_kind(
    kubectl: Kubectl, kind: str, verb: list[str]
) -> None:
    other = shop("db", replicas=1)
    other["kind"] = kind
    if kind == "StatefulSet":
        other["spec"]["serviceName"] = "db"
    else:
        del other["spec"]["replicas"]
    terminal = with_objects(kubectl, other, service("db"))
    says = f"db is a {kind}: only a Deployment can be released"
    terminal.refused(*verb, "db", code=REFUSED, says=says)


def test_a_deployment_that_must_not_run_two_versions_is_refused(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(strategy={"type": "Recreate"}), service("shop"))
    terminal.refused(
        *(*RELEASE, "--weight", "25"),
        code=REFUSED,
        says="Deployment shop has strategy Recreate: its versions must not run side by side; "
        "--allow-recreate says they may",
    )
    terminal(*RELEASE, "--weight", "25", "--allow-recreate", "--dry-run", "client")


def test_a_service_that_binds_clients_to_pods_is_refused(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(), service("shop", sessionAffinity="ClientIP"))
    terminal.refused(
        *(*RELEASE, "--weight", "25"),
        code=REFUSED,
        says="Service shop has sessionAffinity: ClientIP, so clients of before never see the "
        "canary; --allow-coarse goes on all the same",
    )
    terminal(*RELEASE, "--weight", "25", "--allow-coarse", "--dry-run", "client")


def test_a_deployment_that_has_the_canarys_name_is_refused(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(), service("shop"))
    terminal.until_observed("shop")
    create(kubectl, deployment("shop-rev2", replicas=0, labels={"app": "web"}))
    terminal.refused(
        *(*RELEASE, "--weight", "25"),
        code=REFUSED,
        says="the canary would be called shop-rev2, and a Deployment of that name is there that is "
        "not ours",
    )


def test_a_pause_that_belongs_to_another_manager_is_refused_with_its_name(
    kubectl: Kubectl,
) -> None:
    terminal = with_objects(kubectl, shop(), service("shop"))
    applied = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {"paused": False},
    }
    kubectl(
        *("apply", "--server-side", "--field-manager=gitops", "-f", "-"),
        given=json.dumps(applied),
    )
    terminal.refused(
        *(*RELEASE, "--weight", "25"),
        code=REFUSED,
        says="field manager 'gitops' owns spec.paused of Deployment shop by server-side apply; "
        "take the field out of its manifest",
    )


def test_every_reason_to_refuse_is_said_at_once(kubectl: Kubectl) -> None:
    terminal = with_objects(
        kubectl,
        shop(strategy={"type": "Recreate"}),
        service("shop", sessionAffinity="ClientIP"),
    )
    terminal.refused(
        *(*RELEASE, "--steps", "1,60"),
        code=REFUSED,
        says=["sessionAffinity", "strategy Recreate", "steps[0]", "steps[1]"],
    )


def test_a_canary_that_does_not_run_is_not_promoted(kubectl: Kubectl) -> None:
    terminal = with_objects(kubectl, shop(), canary(image="example.invalid/new:2"), service("shop"))
    terminal.refused(
        *("promote", "shop"),
        code=REFUSED,
        says="0 of 1 pods of the canary shop-canary are available: only a canary that runs can be "
        "promoted",
    )


def test_a_pair_whose_stable_is_paused_is_not_promoted(kubectl: Kubectl) -> None:
    terminal = with_objects(
        kubectl, shop(paused=True), canary(image="example.invalid/new:2"), service("shop")
    )
    terminal.refused(
        *("promote", "shop"),
        code=REFUSED,
        says="Deployment shop is paused: kubectl rollout resume deployment/shop first",
    )


@pytest.mark.parametrize(
    "verb", [["promote", "shop"], ["abort", "shop"], ["set-weight", "shop", "60"], [*RELEASE]]
)
def test_context_and_namespace_come_before_anything_else(kubectl: Kubectl, verb: list[str]) -> None:
    terminal = with_objects(kubectl, shop(replicas=0), service("shop"))
    first, *_ = terminal.try_(*verb).stderr.splitlines()
    context = kubectl("config", "current-context").strip()
    assert first == f"{verb[0]} shop (context {context}, namespace {kubectl.namespace})"
