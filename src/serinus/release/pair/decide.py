"""One verb on a pair, one step after another."""

from __future__ import annotations

from serinus.clock import Instant
from serinus.errors import InvariantViolation, RefusedError
from serinus.release.model import Shown
from serinus.release.observation import ReplicaSet, Target
from serinus.release.pair import writes
from serinus.release.pair.model import PairDecision, PairGoal, PairObservation
from serinus.release.words import counted, seconds
from serinus.traffic.plan import RouteState, TrafficPlan
from serinus.traffic.pods import HASH_LABEL, is_ready
from serinus.traffic.replica_ratio import ReplicaRatio, capacity, narrowed_to
from serinus.traffic.router import Mode
from serinus.traffic.write import Write

ROUTER = ReplicaRatio()


def decide_pair(
    obs: PairObservation, goal: PairGoal, shown: Shown | None, now: Instant
) -> PairDecision:
    """Return the next step towards `goal`.

    Raises:
        RefusedError: the cluster's state does not allow it.
    """
    if _strands_users(obs):
        return _write(ROUTER.restore(obs.live), "the Service serves nobody: it is opened again")
    if goal.verb == "promote":
        return _promote(obs, shown, now)
    if goal.verb == "set-weight" and goal.weight_bp > 0:
        return _set_weight(obs, goal.weight_bp, shown, now)
    return _withdraw(obs, shown, now, delete=goal.verb == "abort")


def _set_weight(
    obs: PairObservation, weight_bp: int, shown: Shown | None, now: Instant
) -> PairDecision:
    canary = _need_canary(obs)
    restore = ROUTER.restore(obs.live)
    if restore:
        return _write(restore, "the Service selects both again")
    goal = capacity(obs.stable.replica_count, weight_bp, mode=Mode.SURGE, surge=True)
    if canary.replica_count != goal.canary:
        return _write(
            (writes.scale(obs.canary_object, goal.canary),),
            f"canary scales to {counted(goal.canary, 'pod')}",
        )
    if canary.available_count < goal.canary or canary.total_count != goal.canary:
        return PairDecision(
            waiting=f"{canary.available_count} of {goal.canary} canary pods are available",
            shown=shown,
        )
    report = ROUTER.report(TrafficPlan.at_rest(), obs.live)
    if report.state is not RouteState.SHOWN:
        return PairDecision(waiting=f"the Service: {report.detail}")
    return _settled(obs, "*", shown, now) or PairDecision(done=True)


def _withdraw(
    obs: PairObservation, shown: Shown | None, now: Instant, *, delete: bool
) -> PairDecision:
    """Take traffic off the canary, then its pods, then open the Service again."""
    stable = obs.stable_set
    if stable is None:
        return _without_set(obs)
    gone = obs.canary is None or (obs.canary.deleting if delete else obs.canary.replica_count == 0)
    if gone:
        return _reopen(obs, stable)
    n = obs.stable.replica_count
    route_is_set = obs.live.service is not None and narrowed_to(obs.live.service) == stable.hash
    needed = max(1, n - n // 4)
    if not route_is_set and stable.available_count < needed:
        return PairDecision(
            waiting=f"{stable.available_count} of at least {needed} stable pods are available"
        )
    waiting = _narrowed(obs, stable.hash, shown, now)
    if waiting is not None:
        return waiting
    if delete:
        return _write((writes.delete(obs.canary_object),), "the canary is being deleted")
    return _write((writes.scale(obs.canary_object, 0),), "canary scales to 0 pods")


def _promote(obs: PairObservation, shown: Shown | None, now: Instant) -> PairDecision:
    """Give stable the canary's pod spec, let it roll, then take the canary away."""
    if obs.canary is None or obs.canary.deleting:
        return _without_set(obs) if obs.stable_set is None else _reopen(obs, obs.stable_set)
    canary, stable = obs.canary, obs.stable
    same = writes.pod_spec(obs.stable_object) == writes.pod_spec(writes.needed(obs.canary_object))
    if stable.paused and not same:
        raise _paused(stable.name)
    if not same:
        if canary.replica_count == 0 or canary.available_count < canary.replica_count:
            raise RefusedError(
                "CanaryNotReady",
                f"{canary.available_count} of {canary.replica_count} pods of the canary "
                f"{canary.name} are available: only a canary that runs can be promoted",
            )
        restore = ROUTER.restore(obs.live)
        if restore:
            return _write(restore, "the Service selects both again")
        return _write(
            (writes.copy_pod_spec(obs),), f"{stable.name} rolls out the canary's pod spec"
        )
    if not stable.complete or obs.stable_set is None:
        _refuse_failed_rollout(obs)
        return PairDecision(
            waiting=f"{stable.updated_count} of {stable.replica_count} pods of {stable.name} are "
            f"updated, {stable.available_count} available"
        )
    waiting = _narrowed(obs, obs.stable_set.hash, shown, now)
    if waiting is not None:
        return waiting
    return _write((writes.delete(obs.canary_object),), "the canary is being deleted")


def _without_set(obs: PairObservation) -> PairDecision:
    """Wait for the Deployment controller to answer a template that was set a moment ago."""
    if obs.stable.paused:
        raise _paused(obs.stable.name)
    return PairDecision(waiting=f"Deployment {obs.stable.name} has no ReplicaSet of its template")


def _paused(name: str) -> RefusedError:
    return RefusedError(
        "Paused", f"Deployment {name} is paused: kubectl rollout resume deployment/{name} first"
    )


def _narrowed(
    obs: PairObservation, revision: str, shown: Shown | None, now: Instant
) -> PairDecision | None:
    """Return what is left to do until only `revision` gets traffic; None when that is in force."""
    stable = obs.stable_set
    if stable is None or stable.available_count == 0:
        raise InvariantViolation(
            f"all traffic to revision {revision!r}, which has no available pod"
        )
    plan = TrafficPlan.split(revision, "", 0)
    due = ROUTER.render(plan, obs.live)
    if due:
        return _write(due, "all traffic to stable")
    report = ROUTER.report(plan, obs.live)
    if report.state is not RouteState.SHOWN:
        return PairDecision(waiting=f"the Service: {report.detail}")
    return _settled(obs, revision, shown, now)


def _settled(
    obs: PairObservation, route: str, shown: Shown | None, now: Instant
) -> PairDecision | None:
    """Give the proxies time to follow what the cluster shows."""
    if shown is None or shown.route != route:
        shown = Shown(route, now)
    until = shown.since_ms + obs.settle_ms
    if now >= until:
        return None
    return PairDecision(
        waiting=f"the proxies get {seconds(obs.settle_ms)} to follow", shown=shown, wake_at=until
    )


def _reopen(obs: PairObservation, stable: ReplicaSet) -> PairDecision:
    """Open the Service again once every pod that is not stable's has been told to stop."""
    standing = sum(
        1
        for pod in obs.live.pods
        if not pod["metadata"].get("deletionTimestamp")
        and (pod["metadata"].get("labels") or {}).get(HASH_LABEL) not in (None, stable.hash)
    )
    if standing:
        verb = "stands" if standing == 1 else "stand"
        return PairDecision(waiting=f"{counted(standing, 'other pod')} still {verb}")
    if obs.canary is not None and obs.canary.deleting:
        return PairDecision(waiting="the canary Deployment is still there")
    restore = ROUTER.restore(obs.live)
    if restore:
        return _write(restore, "the Service selects as its owner wrote it")
    return PairDecision(done=True)


def _strands_users(obs: PairObservation) -> bool:
    revision = None if obs.live.service is None else narrowed_to(obs.live.service)
    if revision is None:
        return False
    ready = [pod for pod in obs.live.pods if is_ready(pod)]
    of_it = [p for p in ready if (p["metadata"].get("labels") or {}).get(HASH_LABEL) == revision]
    return bool(ready) and not of_it


def _refuse_failed_rollout(obs: PairObservation) -> None:
    for condition in (obs.stable_object.get("status") or {}).get("conditions") or ():
        if condition.get("reason") == "ProgressDeadlineExceeded":
            name = obs.stable.name
            raise RefusedError(
                "RolloutFailed",
                f"Deployment {name} does not become ready with the canary's pod spec: "
                f"{condition.get('message', '')} The canary still serves; "
                f"kubectl rollout undo deployment/{name} takes {name} back",
            )


def _need_canary(obs: PairObservation) -> Target:
    if obs.canary is None:
        raise RefusedError(
            "NoCanary", f"there is no second Deployment behind the Service of {obs.stable.name}"
        )
    return obs.canary


def _write(due: tuple[Write, ...], waiting: str) -> PairDecision:
    return PairDecision(writes=due, waiting=waiting)
