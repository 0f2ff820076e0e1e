"""How far a rolling update may go over and under the wanted size.

Follows pkg/controller/deployment/util/deployment_util.go (ResolveFenceposts) of Kubernetes 1.36.3.
"""

from __future__ import annotations

from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads.objects import replicas_of


def is_rolling_update(deployment: Object) -> bool:
    """Say whether the strategy is RollingUpdate, which it is when nothing else is said."""
    strategy = deployment["spec"].get("strategy") or {}
    return str(strategy.get("type", "RollingUpdate")) != "Recreate"


def max_surge(deployment: Object) -> int:
    """Return how many Pods there may be beyond the wanted number."""
    return _fence_posts(deployment)[0] if is_rolling_update(deployment) else 0


def max_unavailable(deployment: Object) -> int:
    """Return how many of the wanted Pods may be unavailable."""
    wanted = replicas_of(deployment)
    if not is_rolling_update(deployment) or wanted == 0:
        return 0
    return min(_fence_posts(deployment)[1], wanted)


def _fence_posts(deployment: Object) -> tuple[int, int]:
    strategy = deployment["spec"].get("strategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    wanted = replicas_of(deployment)
    surge = _scaled(rolling.get("maxSurge", 0), wanted, up=True)
    unavailable = _scaled(rolling.get("maxUnavailable", 0), wanted, up=False)
    if surge == 0 and unavailable == 0:
        # Validation refuses two zeros, so one of them was rounded to zero: without this nothing
        # would ever move.
        return 0, 1
    return surge, unavailable


def _scaled(value: int | str, total: int, *, up: bool) -> int:
    """Return a count, or a percentage of `total`: surge is rounded up, unavailable down."""
    if isinstance(value, int):
        return value
    part = int(value.removesuffix("%")) * total
    return -(-part // 100) if up else part // 100
