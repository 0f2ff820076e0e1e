"""Deployments, ReplicaSets and other workloads (Kubernetes 1.36, pkg/apis/apps/validation)."""

from __future__ import annotations

from typing import Any

from serinus.kubernetes_model import failures, selectors
from serinus.kubernetes_model.failures import Problem
from serinus.kubernetes_model.validation import names, numbers, pods

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_STRATEGIES = ("Recreate", "RollingUpdate")
_STATEFUL_SET_UPDATABLE = {
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "revisionHistoryLimit",
    "template",
    "updateStrategy",
}


def check_deployment(deployment: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a Deployment."""
    spec = deployment["spec"]
    problems = numbers.check_counts(spec, ("replicas",), "spec")
    problems += _check_selector_and_template(spec, "deployment")
    problems += _check_strategy(spec["strategy"])
    counts = ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    problems += numbers.check_counts(spec, counts, "spec")
    deadline = spec["progressDeadlineSeconds"]
    if deadline <= spec.get("minReadySeconds", 0):
        words = "must be greater than minReadySeconds"
        problems.append(failures.invalid("spec.progressDeadlineSeconds", deadline, words))
    return problems


def check_replica_set(replica_set: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a ReplicaSet."""
    spec = replica_set["spec"]
    problems = numbers.check_counts(spec, ("replicas", "minReadySeconds"), "spec")
    return problems + _check_selector_and_template(spec, "deployment")


def check_stateful_set(stateful_set: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a StatefulSet."""
    spec = stateful_set["spec"]
    problems = numbers.check_counts(spec, ("replicas", "minReadySeconds"), "spec")
    return problems + _check_selector_and_template(spec, "statefulset")


def check_daemon_set(daemon_set: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a DaemonSet."""
    spec = daemon_set["spec"]
    problems = numbers.check_counts(spec, ("minReadySeconds", "revisionHistoryLimit"), "spec")
    return problems + _check_selector_and_template(spec, "daemonset")


def check_selector_update(new: dict[str, Any], old: dict[str, Any]) -> list[Problem]:
    """Refuse a changed selector."""
    selector = new["spec"].get("selector")
    if selector == old["spec"].get("selector"):
        return []
    return [failures.invalid("spec.selector", selector, "field is immutable")]


def check_stateful_set_update(new: dict[str, Any], old: dict[str, Any]) -> list[Problem]:
    """Refuse changes of what a StatefulSet keeps for life."""
    keys = (new["spec"].keys() | old["spec"].keys()) - _STATEFUL_SET_UPDATABLE
    if all(new["spec"].get(key) == old["spec"].get(key) for key in keys):
        return []
    words = (
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
        "'minReadySeconds' are forbidden"
    )
    return [failures.forbidden_field("spec", words)]


def check_status(item: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with the counts in a Deployment's or ReplicaSet's status."""
    status = item["status"]
    counts = tuple(k for k in status if k.endswith("Replicas") or k == "replicas")
    problems = numbers.check_counts(status, counts, "status")
    replicas = status.get("replicas", 0)
    for key in ("updatedReplicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"):
        if status.get(key, 0) > replicas:
            words = "cannot be greater than status.replicas"
            problems.append(failures.invalid(f"status.{key}", status[key], words))
    available = status.get("availableReplicas", 0)
    if available > status.get("readyReplicas", 0):
        words = "cannot be greater than readyReplicas"
        problems.append(failures.invalid("status.availableReplicas", available, words))
    return problems


def check_label_selector(selector: dict[str, Any], field: str) -> list[Problem]:
    """Return what is wrong with a LabelSelector object."""
    problems = names.check_labels(selector.get("matchLabels", {}), f"{field}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions", ())):
        path = f"{field}.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values", [])
        if operator not in _OPERATORS:
            words = "not a valid selector operator"
            problems.append(failures.invalid(f"{path}.operator", operator, words))
        elif operator in {"In", "NotIn"} and not values:
            words = "must be specified when `operator` is 'In' or 'NotIn'"
            problems.append(failures.required(f"{path}.values", words))
        elif operator in {"Exists", "DoesNotExist"} and values:
            words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            problems.append(failures.forbidden_field(f"{path}.values", words))
        key = expression.get("key", "")
        problems += [failures.invalid(f"{path}.key", key, w) for w in names.qualified(key)]
        for place, value in enumerate(values):
            found = names.label_value(value)
            problems += [failures.invalid(f"{path}.values[{place}]", value, w) for w in found]
    return problems


def _check_selector_and_template(spec: dict[str, Any], kind: str) -> list[Problem]:
    problems: list[Problem] = []
    selector = spec.get("selector")
    if selector is None:
        problems.append(failures.required("spec.selector"))
    else:
        problems += check_label_selector(selector, "spec.selector")
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            words = f"empty selector is invalid for {kind}"
            problems.append(failures.invalid("spec.selector", selector, words))
    labels = spec["template"]["metadata"].get("labels")
    match = selectors.of_object(selector)
    if match is None or not match.matches(labels):
        words = "`selector` does not match template `labels`"
        problems.append(failures.invalid("spec.template.metadata.labels", labels, words))
    problems += pods.check_template(spec["template"], "spec.template")
    pod = spec["template"]["spec"]
    if pod["restartPolicy"] != "Always":
        path = "spec.template.spec.restartPolicy"
        problems.append(failures.not_supported(path, pod["restartPolicy"], ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        path = "spec.template.spec.activeDeadlineSeconds"
        words = "activeDeadlineSeconds in ReplicaSet is not Supported"
        problems.append(failures.forbidden_field(path, words))
    return problems


def _check_strategy(strategy: dict[str, Any]) -> list[Problem]:
    kind = strategy["type"]
    rolling = strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is None:
            return []
        words = "may not be specified when strategy `type` is 'Recreate'"
        return [failures.forbidden_field("spec.strategy.rollingUpdate", words)]
    if kind != "RollingUpdate":
        shown = {"Type": kind, "RollingUpdate": rolling}
        return [failures.not_supported("spec.strategy", shown, _STRATEGIES)]
    field = "spec.strategy.rollingUpdate"
    rolling = strategy["rollingUpdate"]
    unavailable, surge = rolling["maxUnavailable"], rolling["maxSurge"]
    problems = numbers.check_count_or_percent(unavailable, f"{field}.maxUnavailable")
    problems += numbers.check_count_or_percent(surge, f"{field}.maxSurge")
    if numbers.amount(unavailable) == 0 and numbers.amount(surge) == 0:
        words = "may not be 0 when `maxSurge` is 0"
        problems.append(failures.invalid(f"{field}.maxUnavailable", unavailable, words))
    return problems + numbers.check_at_most_all(unavailable, f"{field}.maxUnavailable")
