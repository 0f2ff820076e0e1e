"""PodDisruptionBudgets: they count the pods of both revisions, of which only one may serve."""

from __future__ import annotations

from collections.abc import Sequence

from serinus.release.observation import Finding
from serinus.traffic.plan import Manifest


def findings(budgets: Sequence[Manifest], n: int) -> list[Finding]:
    """Return the budgets that let all serving pods go at once when both revisions have `n`.

    So it is at the promotion, with all the traffic on the canary's pods and stable's beside them.
    """
    found = []
    for budget in budgets:
        count = allowed_count(budget["spec"], 2 * n)
        if n == 0 or count < n:
            continue
        found.append(
            Finding(
                "BudgetCountsBoth",
                f"PodDisruptionBudget {budget['metadata']['name']} counts the pods of both "
                f"revisions: while {n} of {2 * n} have all the traffic it lets {count} be evicted, "
                "and so every one that serves",
            )
        )
    return found


def allowed_count(spec: Manifest, pod_count: int) -> int:
    """Return how many of so many healthy pods a budget lets be evicted.

    Percentages are rounded up, in either field (getExpectedScale's callers in
    pkg/controller/disruption/disruption.go of Kubernetes 1.36.3).
    """
    if spec.get("maxUnavailable") is not None:
        return min(_scaled(spec["maxUnavailable"], pod_count), pod_count)
    return max(pod_count - _scaled(spec.get("minAvailable", 1), pod_count), 0)


def _scaled(value: int | str, pod_count: int) -> int:
    text = str(value)
    return -(-int(text[:-1]) * pod_count // 100) if text.endswith("%") else int(text)
