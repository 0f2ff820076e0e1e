"""Slide routers in front of a Service, steer them, and take them out: what is safe to write now.

In: everything of the routers, then, when all of them serve and do as they are told, one write of
the user's Service. Out: the same write back, then the routers go, each letting its clients leave,
then the rest. Each step waits until the one before is seen, so any of them may be the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from serinus.assignment.intervals import Version
from serinus.assignment.split import Split
from serinus.traffic.envoy.in_cluster import manifests
from serinus.traffic.envoy.in_cluster.answers import has_endpoints, know_the_pods, not_in_force
from serinus.traffic.envoy.in_cluster.options import EnvoyOptions
from serinus.traffic.envoy.in_cluster.place import Place, selector_of
from serinus.traffic.envoy.in_cluster.ports import Listener, listeners
from serinus.traffic.plan import Live, Manifest, Role, RouteReport, RouteState, TrafficPlan
from serinus.traffic.pods import HASH_LABEL, endpoint_is_ready, is_ready
from serinus.traffic.write import ObjectRef, Propagation, Verb, Write


def steer(plan: TrafficPlan, place: Place, live: Live, options: EnvoyOptions) -> tuple[Write, ...]:
    """Return what is safe to write towards routers that do what a plan says."""
    if not place.selector:
        return ()
    ports = listeners(place.service, place.target, place.plan)
    wanted = _objects(plan, place, options, ports)
    if _hands_over(plan, place) and not _stable_is_followed(place, live):
        # The canary's share goes to stable only when the routers know all of its pods.
        wanted = [each for each in wanted if each["kind"] != "TrafficPlan"]
    writes = tuple(
        manifests.applied(each, f"routers of {place.names.service}: {each['kind']}", place.names)
        for each in wanted
        if not _is_there(place, each)
    )
    if writes:
        return writes
    if why_not(plan, place, options) is not None:
        return ()
    if not place.is_routed:
        why = f"point the Service to its {options.replica_count} routers"
        return (point(place, place.routed_selector[place.key], why),)
    leftover = place.found("Service", place.names.canary)
    if leftover is not None and not plan.revision(Role.CANARY):
        return _deleted(place, "Service", leftover)
    return ()


def why_not(plan: TrafficPlan, place: Place, options: EnvoyOptions) -> RouteReport | None:
    """Return why the routers do not do yet what a plan says; None when they do."""
    ports = listeners(place.service, place.target, place.plan)
    missing = [each for each in _objects(plan, place, options, ports) if not _is_there(place, each)]
    if missing:
        kinds = ", ".join(dict.fromkeys(each["kind"] for each in missing))
        return RouteReport(RouteState.PENDING, f"what routers need is being written: {kinds}")
    # Before the Service points to them all have to be there; later those that serve count.
    fewest = 1 if place.is_routed else options.replica_count
    found = not_in_force(place, plan.canary_weight_bp, fewest)
    if found is None and not has_endpoints(place, Version.STABLE) and not place.is_routed:
        return RouteReport(RouteState.PENDING, "no pod is ready behind the routers")
    return found


def report(plan: TrafficPlan, place: Place, live: Live, options: EnvoyOptions) -> RouteReport:
    """Say whether users reach the routers, and the routers do what the plan says."""
    if not place.selector:
        return RouteReport(
            RouteState.REJECTED,
            f"Service {place.names.service} points to routers, and nothing tells any more what it "
            "selected; apply its manifest again",
        )
    found = why_not(plan, place, options)
    if found is not None:
        return found
    if not place.is_routed:
        return RouteReport(RouteState.PENDING, "is being pointed to its routers")
    routers = {pod["metadata"]["uid"] for pod in place.parts.pods}
    listed = {_uid(e): endpoint_is_ready(e) for e in _endpoints(live.slices)}
    strangers = [uid for uid in listed if uid not in routers]
    if strangers:
        return RouteReport(RouteState.PENDING, f"{len(strangers)} pods are still listed")
    if not any(listed.values()):
        return RouteReport(RouteState.PENDING, "no router is listed yet")
    if place.found("Service", place.names.canary) and not plan.revision(Role.CANARY):
        return RouteReport(RouteState.PENDING, "the Service of the canary is on its way out")
    return RouteReport(RouteState.SHOWN)


def leave(place: Place, live: Live) -> tuple[Write, ...]:
    """Return what is safe to write towards a Service without routers."""
    if place.is_routed:
        if not place.selector:
            return ()
        why = "point the Service to its pods again"
        return (point(place, place.selector[place.key], why),)
    if _not_opened(place, live):
        return ()
    if place.deployment is not None:
        return _deleted(place, "Deployment", place.deployment)
    if place.parts.pods:
        return ()
    return tuple(
        write
        for ref in reversed(place.names.own)
        if (found := place.found(ref.kind, ref.name)) is not None
        for write in _deleted(place, ref.kind, found)
    )


def left(place: Place, live: Live) -> RouteReport:
    """Say whether the Service is without routers, and nothing of them is left."""
    if place.is_routed:
        return RouteReport(RouteState.PENDING, "is being pointed to its pods again")
    waiting = _not_opened(place, live)
    if waiting:
        return RouteReport(RouteState.PENDING, waiting)
    if place.deployment is not None or place.parts.pods:
        count = len(place.parts.pods)
        return RouteReport(RouteState.PENDING, f"{count} routers let their clients go")
    rest = [ref.kind for ref in place.names.own if place.found(ref.kind, ref.name) is not None]
    if rest:
        return RouteReport(RouteState.PENDING, f"what routers needed goes: {', '.join(rest)}")
    return RouteReport(RouteState.SHOWN)


def point(place: Place, value: str, why: str) -> Write:
    """Return the one write of the user's Service: another value for one key of its selector."""
    meta = place.service["metadata"]
    return Write(
        verb=Verb.MERGE,
        target=ObjectRef("v1", "Service", meta["namespace"], meta["name"]),
        why=why,
        body={
            "metadata": {"resourceVersion": meta["resourceVersion"]},
            "spec": {"selector": {place.key: value}},
        },
    )


def split_of(plan: TrafficPlan, place: Place, options: EnvoyOptions) -> Split:
    """Return how requests are shared; a weight of 0 without rules is nothing at all."""
    names = place.names
    revision = plan.revision(Role.CANARY) or "none"
    return Split(
        salt=f"{names.namespace}/{names.service}/{revision}",
        weight_bp=plan.canary_weight_bp,
        rules=options.rules if plan.with_rules else (),
        identity=options.identity,
        cookie=options.cookie,
    )


def _objects(
    plan: TrafficPlan, place: Place, options: EnvoyOptions, ports: tuple[Listener, ...]
) -> list[dict[str, Any]]:
    names, canary = place.names, plan.revision(Role.CANARY)
    # At rest stable is whatever the owner's selector takes.
    stable = plan.revision(Role.STABLE) if len(plan.backends) > 1 else ""
    made = [
        *manifests.accounts(place),
        manifests.version_service(place, names.stable, stable, ports),
    ]
    if canary:
        made.append(manifests.version_service(place, names.canary, canary, ports))
    split = split_of(plan, place, options)
    made.append(manifests.traffic_plan(place, split, ports, options, mirrors=plan.with_rules))
    return [*made, manifests.deployment(place, ports, options)]


def _hands_over(plan: TrafficPlan, place: Place) -> bool:
    """Tell whether a plan at rest ends a share of the canary's that is in force."""
    split = ((place.plan or {}).get("spec") or {}).get("split") or {}
    return len(plan.backends) == 1 and bool(split.get("weight"))


def _stable_is_followed(place: Place, live: Live) -> bool:
    """Tell whether the routers send stable's requests to pods that stay, and to nobody else."""
    if place.pin(place.names.stable) or not has_endpoints(place, Version.STABLE):
        return False
    staying = {pod["metadata"]["uid"] for pod in live.pods if is_ready(pod)}
    listed = {_uid(e) for e in _endpoints(place.parts.slices) if endpoint_is_ready(e)}
    return listed <= staying and know_the_pods(place)


def _is_there(place: Place, manifest: dict[str, Any]) -> bool:
    found = place.found(manifest["kind"], manifest["metadata"]["name"])
    if not manifests.is_rendered(found, manifest):
        return False
    same = found is None or manifest["kind"] != "Service"
    return same or found is None or selector_of(found) == manifest["spec"]["selector"]


def _not_opened(place: Place, live: Live) -> str:
    """Return why new connections may still come to a router, or nothing."""
    routers = {pod["metadata"]["uid"] for pod in place.parts.pods}
    listed = {_uid(e) for e in _endpoints(live.slices)}
    if listed & routers:
        return "its routers are still listed"
    missing = [
        pod
        for pod in live.pods
        if is_ready(pod) and _takes(place, pod) and pod["metadata"]["uid"] not in listed
    ]
    return f"{len(missing)} ready pods are not listed yet" if missing else ""


def _takes(place: Place, pod: Manifest) -> bool:
    labels = pod["metadata"].get("labels") or {}
    selector = {k: v for k, v in place.selector.items() if k != HASH_LABEL}
    return bool(selector) and selector.items() <= labels.items()


def _deleted(place: Place, kind: str, found: Manifest) -> tuple[Write, ...]:
    meta = found["metadata"]
    if meta.get("deletionTimestamp"):
        return ()
    return (
        Write(
            verb=Verb.DELETE,
            target=place.names.ref(kind, meta["name"]),
            why=f"the routers of {place.names.service} are needed no more",
            uid=meta["uid"],
            propagation=Propagation.BACKGROUND,
        ),
    )


def _endpoints(slices: Iterable[Manifest]) -> Iterator[Manifest]:
    for each in slices:
        yield from each.get("endpoints") or ()


def _uid(endpoint: Manifest) -> str:
    return str((endpoint.get("targetRef") or {}).get("uid", ""))
