"""HorizontalPodAutoscalers: they count the canary's pods, or want its number for theirs."""

from __future__ import annotations

from collections.abc import Sequence

from serinus.kubernetes_model import quantity
from serinus.release.model import SetWeight, Spec
from serinus.release.observation import Finding
from serinus.traffic.plan import WEIGHT_BP_MAX, Manifest
from serinus.traffic.replica_ratio import SURGE_WEIGHT_BP_MAX
from serinus.traffic.router import Mode


def findings(spec: Spec, autoscalers: Sequence[Manifest], n: int, *, surge: bool) -> list[Finding]:
    """Return what to say of those that scale the target, which has `n` replicas."""
    found = []
    for hpa in autoscalers:
        ref = hpa["spec"]["scaleTargetRef"]
        if (ref.get("kind"), ref.get("name")) != ("Deployment", spec.target):
            continue
        name = hpa["metadata"]["name"]
        if spec.mode is Mode.CONSTANT:
            found.append(
                Finding(
                    "AutoscalerOwnsReplicas",
                    f"HorizontalPodAutoscaler {name} scales Deployment {spec.target}: Constant "
                    "mode would fight it; use Surge mode",
                    blocking=True,
                )
            )
            continue
        found.extend(_counts_canary(spec, hpa, n, surge=surge))
    return found


def _counts_canary(spec: Spec, hpa: Manifest, n: int, *, surge: bool) -> list[Finding]:
    """An autoscaler sees the canary's pods as stable's: tell how far N would grow by that alone."""
    weights = [s.weight_bp for s in spec.steps if isinstance(s, SetWeight)]
    most = max(
        (
            spec.routed_by.capacity(n, w, mode=spec.mode, surge=surge).canary
            for w in weights
            if w <= SURGE_WEIGHT_BP_MAX or w == WEIGHT_BP_MAX
        ),
        default=n,
    )
    load_percent = _load_percent(hpa)
    if load_percent is None:
        return []
    wanted = -(-load_percent * (n + most) // 100)
    if wanted <= n:
        return []
    return [
        Finding(
            "HPACountsCanary",
            f"HorizontalPodAutoscaler {hpa['metadata']['name']} counts the canary's pods as "
            f"stable's: at {load_percent} % of its target and {most} canary pods it would scale "
            f"{n} to {wanted} and on; --allow-autoscaler goes on all the same",
            blocking=not spec.allow_autoscaler,
        )
    ]


def _load_percent(hpa: Manifest) -> int | None:
    """Return the highest load for each pod in percent of its target, if the status tells."""
    targets = {
        key: source.get("target") or {} for key, source in _sources(hpa["spec"].get("metrics"))
    }
    used = _sources((hpa.get("status") or {}).get("currentMetrics"))
    loads = [
        percent
        for key, source in used
        if (percent := _percent(source.get("current") or {}, targets.get(key, {}))) is not None
    ]
    return max(loads, default=None)


def _sources(metrics: Sequence[Manifest] | None) -> list[tuple[tuple[str, ...], Manifest]]:
    """Return the metrics that are an average over the pods, each by what it measures."""
    return [
        ((kind, *map(str, (source.get(part) for part in ("name", "container", "metric")))), source)
        for metric in metrics or ()
        for kind in ("resource", "containerResource", "pods")
        if (source := metric.get(kind))
    ]


def _percent(current: Manifest, target: Manifest) -> int | None:
    if target.get("averageUtilization") and current.get("averageUtilization") is not None:
        return -(-100 * int(current["averageUtilization"]) // int(target["averageUtilization"]))
    if target.get("averageValue") and current.get("averageValue"):
        load = quantity.parse(str(current["averageValue"])) * 100
        return -int(-load // quantity.parse(str(target["averageValue"])))
    return None
