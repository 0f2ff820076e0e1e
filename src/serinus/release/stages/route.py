"""Whether a plan is in force, and what to write when it is not."""

from __future__ import annotations

import msgspec

from serinus.clock import Instant
from serinus.release.decision import Action, Reason, SetTraffic
from serinus.release.model import Shown, Waiting
from serinus.release.observation import Observation
from serinus.release.words import seconds
from serinus.traffic.plan import RouteState, TrafficPlan
from serinus.traffic.pods import HASH_LABEL, is_ready

REST = "*"


class Route(msgspec.Struct, frozen=True):
    """The answer to a plan: in force, or what to write and how long to wait."""

    in_force: bool
    shown: Shown | None
    actions: tuple[Action, ...] = ()
    waiting: Waiting | None = None
    wake_at: Instant | None = None
    is_shown: bool = False
    """Whether the cluster shows the plan now, be the proxies behind or not."""


def follow(obs: Observation, plan: TrafficPlan, now: Instant) -> Route:
    """Return whether the data plane does what the plan says.

    In force means: the cluster shows it since `settle_ms`, because proxies read the cluster with a
    delay that it cannot show. Proxies that acknowledge have no such delay; where one revision gets
    everything the other still gets that time, for the requests that it has in hand.
    """
    router = obs.spec.routed_by
    report = router.report(plan, obs.live)
    key = plan.sole_revision or REST
    known = obs.status.shown
    if known is not None and known.route != key:
        known = None
    if report.state is not RouteState.SHOWN and _serves_nobody(obs, plan):
        return Route(
            in_force=False,
            shown=None,
            waiting=Waiting(
                Reason.WAITING_FOR_PODS.value,
                f"revision {plan.sole_revision} has no available pod to take all the traffic",
                now,
            ),
        )
    if report.state is not RouteState.SHOWN:
        due = router.render(plan, obs.live)
        waiting = Waiting(
            Reason.WAITING_FOR_ROUTE.value, f"Service {obs.spec.service}: {report.detail}", now
        )
        joining = key == REST and report.state is RouteState.PENDING and not due
        return Route(
            in_force=False,
            # Where only a pod is still to join an open Service, proxies have nothing to unlearn.
            shown=known if joining else None,
            actions=(SetTraffic(plan),) if due else (),
            waiting=waiting,
        )
    shown = known or Shown(route=key, since_ms=now)
    waits = plan.sole_revision is not None or not router.capabilities.acknowledges
    settle_ms = obs.spec.settle_ms if waits else 0
    settled_at = shown.since_ms + settle_ms
    if now >= settled_at:
        return Route(in_force=True, shown=shown, is_shown=True)
    waiting = Waiting(
        Reason.WAITING_FOR_SETTLE.value,
        f"Service {obs.spec.service}: the proxies get {seconds(settle_ms)} to follow",
        now,
    )
    return Route(in_force=False, shown=shown, waiting=waiting, wake_at=settled_at, is_shown=True)


def _serves_nobody(obs: Observation, plan: TrafficPlan) -> bool:
    revision = plan.sole_revision
    return revision is not None and not any(
        rs.available_count for rs in obs.replica_sets if rs.hash == revision
    )


def plan_for(
    obs: Observation,
    stable_hash: str,
    canary_hash: str,
    weight_bp: int,
    *,
    with_rules: bool = False,
) -> TrafficPlan:
    """Return the plan of a weight; never narrowed where the Service must not be."""
    if obs.narrowable or 0 < weight_bp < 10_000:
        return TrafficPlan.split(stable_hash, canary_hash, weight_bp, with_rules=with_rules)
    return rest_plan(obs, stable_hash)


def rest_plan(obs: Observation, stable_hash: str = "") -> TrafficPlan:
    """Return the plan of a Service without a release; who leaves keeps nothing of ours."""
    return TrafficPlan.at_rest(stable_hash, kept=not obs.leaving)


def plan_before_canary(obs: Observation, stable_hash: str, weight_bp: int) -> TrafficPlan | None:
    """Return what must be in force before the canary's pods are there, if anything must."""
    in_front = obs.spec.routed_by.capabilities.stands_in_front
    if in_front or (weight_bp == 0 and obs.narrowable):
        return plan_for(obs, stable_hash, "", 0)
    return None


def standing_elsewhere(obs: Observation, revision: str) -> int:
    """Return how many pods of other revisions have not been told to stop."""
    return sum(
        1
        for pod in obs.live.pods
        if not pod["metadata"].get("deletionTimestamp")
        and pod["metadata"].get("labels", {}).get(HASH_LABEL) not in (None, revision)
    )


def ready_count(obs: Observation, revision: str) -> int:
    """Return how many pods of a revision are ready and stay."""
    return sum(
        1
        for pod in obs.live.pods
        if pod["metadata"].get("labels", {}).get(HASH_LABEL) == revision and is_ready(pod)
    )
