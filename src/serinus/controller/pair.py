"""Find a hand-made pair in the cluster, and drive one verb on it to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from serinus import errors
from serinus.clock import Clock
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.observe import controller_uid, matches, replica_set_of, target_of
from serinus.controller.ports import Snapshot
from serinus.controller.run import BACK_OFF_MS, NotDriving
from serinus.errors import RefusedError, Retry
from serinus.kube.lease import Lease
from serinus.release.model import Shown
from serinus.release.observation import ReplicaSet
from serinus.release.pair.decide import decide_pair
from serinus.release.pair.model import PairDecision, PairGoal, PairObservation
from serinus.release.preflight import other_pods
from serinus.traffic import registry
from serinus.traffic.plan import Live, Manifest
from serinus.traffic.replica_ratio import base_selector, selects


class Pair(msgspec.Struct, frozen=True):
    """The names of a pair; `canary` is empty when only one Deployment is there."""

    stable: str
    canary: str
    service: str
    named_canary: bool = False
    """Whether the caller named the canary, and we found its partner."""


def find_service(snapshot: Snapshot, deployment: Manifest, wanted: str | None) -> str:
    """Return the Service in front of a Deployment.

    Raises:
        RefusedError: there is none, it selects other pods, or there are several and none was named.
    """
    name = deployment["metadata"]["name"]
    labels = deployment["spec"]["template"].get("metadata", {}).get("labels") or {}
    ours = registry.of_routers(snapshot.services)
    services = {
        s["metadata"]["name"]: registry.as_owned(s, deployment)
        for s in snapshot.services
        if s["metadata"]["name"] not in ours
    }
    if wanted is not None:
        if wanted not in services:
            known = f"; there are: {', '.join(sorted(services))}" if services else ""
            raise RefusedError("ServiceMissing", f"Service {wanted} is not there{known}")
        if not selects(services[wanted], labels):
            raise RefusedError("ServiceDoesNotSelect", other_pods(services[wanted], name))
        return wanted
    found = sorted(n for n, s in services.items() if selects(s, labels))
    if not found:
        raise RefusedError(
            "ServiceMissing", f"no Service selects the pods of Deployment {name}; make one first"
        )
    if len(found) > 1:
        raise RefusedError(
            "SeveralServices",
            f"the pods of Deployment {name} are behind {', '.join(found)}: say which with "
            "--service",
        )
    only: str = found[0]
    return only


def find_deployment(snapshot: Snapshot, name: str) -> Manifest:
    """Return a Deployment, or raise RefusedError with those that are there."""
    found = {d["metadata"]["name"]: d for d in snapshot.deployments}
    if name not in found:
        known = f"; there are: {', '.join(sorted(found))}" if found else ""
        raise RefusedError("DeploymentMissing", f"Deployment {name} is not there{known}")
    return found[name]


def find_pair(snapshot: Snapshot, name: str, wanted_service: str | None) -> Pair:
    """Return the pair that a Deployment belongs to.

    Raises:
        RefusedError: no Service, or more than one other Deployment behind it.
    """
    named = find_deployment(snapshot, name)
    service_name = find_service(snapshot, named, wanted_service)
    service = next(s for s in snapshot.services if s["metadata"]["name"] == service_name)
    others = [
        d
        for d in snapshot.deployments
        if d["metadata"]["name"] != name
        and selects(service, d["spec"]["template"].get("metadata", {}).get("labels") or {})
    ]
    if len(others) > 1:
        names = ", ".join(sorted(d["metadata"]["name"] for d in others))
        raise RefusedError(
            "SeveralCandidates",
            f"Service {service_name} selects the pods of {name} and of {names}: a pair is two "
            "Deployments; delete the one that is not on trial or narrow its labels",
        )
    if others and _is_canary_of(named, others[0]):
        return Pair(others[0]["metadata"]["name"], name, service_name, named_canary=True)
    return Pair(name, others[0]["metadata"]["name"] if others else "", service_name)


def _is_canary_of(candidate: Manifest, other: Manifest) -> bool:
    """Tell whether the other's selector takes the candidate's pods and not the reverse."""
    labels = candidate["spec"]["template"]["metadata"].get("labels") or {}
    other_labels = other["spec"]["template"]["metadata"].get("labels") or {}
    return matches(other["spec"]["selector"], labels) and not matches(
        candidate["spec"]["selector"], other_labels
    )


async def observe_pair(
    cluster: KubernetesCluster, pair: Pair, *, settle_ms: int
) -> PairObservation:
    """Read a pair as it is now.

    Raises:
        RefusedError: the stable Deployment is gone.
    """
    seen = await cluster.everything(pair.service)
    by_name = {d["metadata"]["name"]: d for d in seen.deployments}
    stable, canary = by_name.get(pair.stable), by_name.get(pair.canary)
    if stable is None:
        raise RefusedError("DeploymentMissing", f"Deployment {pair.stable} is not there")
    # The pods of both are those that the Service takes, also while a Deployment of theirs is gone.
    selector = {} if seen.service is None else base_selector(seen.service)
    pods = await cluster.pods({"matchLabels": selector} if selector else stable["spec"]["selector"])
    return PairObservation(
        stable=target_of(stable),
        stable_set=_current_set(seen, stable, pods),
        canary=None if canary is None else target_of(canary),
        canary_set=None if canary is None else _current_set(seen, canary, pods),
        stable_object=stable,
        canary_object=canary,
        live=Live(service=seen.service, slices=seen.slices, pods=pods),
        settle_ms=settle_ms,
    )


def _current_set(
    seen: Snapshot, deployment: Manifest, pods: tuple[Manifest, ...]
) -> ReplicaSet | None:
    """Return the ReplicaSet of a Deployment's present template."""
    wanted = target_of(deployment).template
    sets = [
        replica_set_of(rs, pods)
        for rs in seen.replica_sets
        if controller_uid(rs) == deployment["metadata"]["uid"]
    ]
    current = [rs for rs in sets if rs.template == wanted]
    return max(current, key=lambda rs: (rs.wanted_count, rs.number), default=None)


async def drive_pair(
    cluster: KubernetesCluster,
    pair: Pair,
    goal: PairGoal,
    *,
    settle_ms: int,
    lease: Lease,
    clock: Clock,
    on_decision: Callable[[PairObservation, PairDecision], None],
) -> PairObservation:
    """Take a pair to its goal.

    Raises:
        RefusedError: the cluster's state does not allow it.
        NotDriving: the lease was lost.
    """
    shown: Shown | None = None
    failure_count = 0
    while True:
        count = cluster.changes.count
        if not lease.is_held:
            raise NotDriving("LeaseLost", "the lease was lost; give the command again")
        try:
            obs = await observe_pair(cluster, pair, settle_ms=settle_ms)
            decision = decide_pair(obs, goal, shown, clock.now_ms())
            for write in decision.writes:
                await cluster.send(write)
        except errors.ClusterError as error:
            if error.retry is Retry.NEVER:
                raise
            failure_count += 1
            await asyncio.sleep(BACK_OFF_MS[min(failure_count, len(BACK_OFF_MS)) - 1] / 1000)
            continue
        failure_count, shown = 0, decision.shown
        on_decision(obs, decision)
        if decision.done:
            return obs
        if not decision.writes:
            now = clock.now_ms()
            wait_ms = 5_000 if decision.wake_at is None else max(0, decision.wake_at - now)
            await cluster.changes.wait(wait_ms, since_count=count)
