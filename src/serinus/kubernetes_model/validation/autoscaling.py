"""HorizontalPodAutoscalers and PodDisruptionBudgets (pkg/apis/autoscaling, pkg/apis/policy)."""

from __future__ import annotations

from typing import Any

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.failures import Problem
from serinus.kubernetes_model.validation import numbers, workloads


def check_autoscaler(autoscaler: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a HorizontalPodAutoscaler."""
    spec = autoscaler["spec"]
    problems: list[Problem] = []
    least, most = spec["minReplicas"], spec.get("maxReplicas", 0)
    if least < 1:
        words = "must be greater than or equal to 1"
        problems.append(failures.invalid("spec.minReplicas", least, words))
    if most == 0:
        problems.append(failures.required("spec.maxReplicas", "must be set and greater than 0"))
    elif most < 0:
        words = "must be greater than or equal to 1"
        problems.append(failures.invalid("spec.maxReplicas", most, words))
    if most < least:
        words = "must be greater than or equal to `minReplicas`"
        problems.append(failures.invalid("spec.maxReplicas", most, words))
    target = spec["scaleTargetRef"]
    return problems + [
        failures.required(f"spec.scaleTargetRef.{key}")
        for key in ("kind", "name")
        if not target.get(key)
    ]


def check_budget(budget: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a PodDisruptionBudget."""
    spec = budget["spec"]
    problems: list[Problem] = []
    if "minAvailable" in spec and "maxUnavailable" in spec:
        words = "minAvailable and maxUnavailable cannot be both set"
        problems.append(failures.invalid("spec", spec, words))
    for key in ("minAvailable", "maxUnavailable"):
        if key in spec:
            problems += numbers.check_count_or_percent(spec[key], f"spec.{key}")
            problems += numbers.check_at_most_all(spec[key], f"spec.{key}")
    return problems + workloads.check_label_selector(spec.get("selector", {}), "spec.selector")
