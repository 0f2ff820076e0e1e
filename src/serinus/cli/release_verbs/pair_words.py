"""What is said about a hand-made pair: what would change, what may not be, how it ended."""

from __future__ import annotations

from serinus.api.text import format_weight
from serinus.controller.pair import Pair
from serinus.errors import RefusedError
from serinus.release.model import Spec
from serinus.release.pair.model import PairGoal, PairObservation
from serinus.release.preflight import weight_problem
from serinus.release.revision import differences as template_differences
from serinus.traffic.replica_ratio import SURGE_WEIGHT_BP_MAX, narrowed_to


def check(obs: PairObservation, pair: Pair, goal: PairGoal, *, allow_coarse: bool) -> None:
    """Refuse what a pair cannot do, before anything is written.

    Raises:
        RefusedError: there is no canary, or its replicas cannot express the weight.
    """
    narrowed = obs.live.service is not None and narrowed_to(obs.live.service) is not None
    if obs.canary is None and not (narrowed and goal.verb in ("promote", "abort")):
        raise RefusedError(
            "NoCanary",
            f"there is no second Deployment behind Service {pair.service}: apply the canary's "
            f"manifest, or let serinus release {pair.stable} make one",
        )
    if goal.verb != "set-weight":
        return
    if goal.weight_bp == 10_000:
        raise RefusedError(
            "UsePromote", f"100 % for good is a promotion: serinus promote {pair.stable}"
        )
    if goal.weight_bp > SURGE_WEIGHT_BP_MAX:
        raise RefusedError(
            "Weight",
            f"{format_weight(goal.weight_bp)} % is more than a pair reaches (50 %, as many canary "
            f"pods as stable ones): serinus promote {pair.stable} goes on to 100 %",
        )
    spec = Spec(target=pair.stable, service=pair.service, allow_coarse=allow_coarse)
    problem = weight_problem(spec, obs.stable.replica_count, goal.weight_bp, surge=True)
    if problem:
        raise RefusedError("Weight", problem)


def differences(obs: PairObservation) -> list[str]:
    """Return one line for each difference between the pod specs, stable -> canary."""
    if obs.canary_object is None:
        return []
    old = obs.stable_object["spec"]["template"]["spec"]
    new = obs.canary_object["spec"]["template"]["spec"]
    found = list(template_differences(old, new, "spec.template.spec"))
    return found or ["the pod specs are equal already"]


def outcome(obs: PairObservation, pair: Pair, goal: PairGoal) -> str:
    """Return how a verb ended."""
    if goal.verb == "promote":
        return f"promoted: every pod behind Service {pair.service} is of {pair.stable}"
    if goal.verb == "abort":
        return (
            f"aborted: {pair.canary or 'the canary'} is gone, every request goes to {pair.stable}"
        )
    canary = 0 if obs.canary is None else obs.canary.replica_count
    total = obs.stable.replica_count + canary
    share = format_weight(0 if total == 0 else 10_000 * canary // total)
    return f"{canary} of {total} pods are the canary's: {share} % of new connections"
