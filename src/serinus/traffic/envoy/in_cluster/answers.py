"""What routers answer to their plan, and which of them count."""

from __future__ import annotations

import msgspec

from serinus.assignment.intervals import Version
from serinus.traffic.envoy.in_cluster.place import Place
from serinus.traffic.envoy.in_cluster.slices import endpoints_of
from serinus.traffic.envoy.plan import Endpoints
from serinus.traffic.envoy.report import digest
from serinus.traffic.plan import Manifest, RouteReport, RouteState
from serinus.traffic.pods import is_ready


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of one router's report."""

    generation: int = 0
    in_force_generation: int = 0
    weight_bp: int = 0
    endpoints: str = ""
    ready: bool = False
    problem: str = ""


def answers(place: Place) -> dict[str, Answer | None]:
    """Return what each router that serves says, by the name of its pod; None for nothing yet."""
    told = {
        each["router"]: each
        for each in ((place.plan or {}).get("status") or {}).get("routers") or ()
    }
    names = [pod["metadata"]["name"] for pod in place.parts.pods if is_ready(pod)]
    return {name: _answer(told.get(name)) for name in sorted(names)}


def not_in_force(place: Place, weight_bp: int, fewest: int) -> RouteReport | None:
    """Return why the plan that is written is not what every router does; None when it is."""
    plan = place.plan
    if plan is None:
        return _pending("its TrafficPlan is being written")
    found = answers(place)
    if len(found) < max(1, fewest):
        return _pending(f"{len(found)} of {max(1, fewest)} routers are ready")
    pods = digest(_endpoints(place))
    for name, answer in found.items():
        wanted = plan["metadata"].get("generation", 0)
        if answer is None or answer.generation < wanted:
            return _pending(f"router {name} has not seen the plan yet")
        if answer.problem:
            return RouteReport(RouteState.REJECTED, f"router {name}: {answer.problem}")
        if answer.in_force_generation != wanted or not answer.ready:
            return _pending(f"router {name} is taking over the plan")
        if answer.endpoints != pods:
            return _pending(f"router {name} has not seen all pods yet")
        if answer.weight_bp != weight_bp:
            return _pending(
                f"router {name} has {answer.weight_bp / 100:g} % in force, not "
                f"{weight_bp / 100:g} %: a version has no ready pod"
            )
    return None


def know_the_pods(place: Place) -> bool:
    """Tell whether every router that serves sends to the pods that are there by now."""
    pods, found = digest(_endpoints(place)), answers(place).values()
    return all(answer is not None and answer.endpoints == pods for answer in found)


def has_endpoints(place: Place, version: Version) -> bool:
    """Tell whether any ready pod serves a version."""
    return any(found for (_, of), found in _endpoints(place).items() if of is version)


def _endpoints(place: Place) -> Endpoints:
    services = {Version.STABLE: place.names.stable, Version.CANARY: place.names.canary}
    ports = ((place.plan or {}).get("spec") or {}).get("ports") or ()
    return endpoints_of(place.parts.slices, services, [port["name"] for port in ports])


def _answer(found: Manifest | None) -> Answer | None:
    if found is None:
        return None
    try:
        return msgspec.convert(found, Answer)
    except msgspec.ValidationError:
        # Told by another version of serinus; it tells again when the plan changes.
        return None


def _pending(detail: str) -> RouteReport:
    return RouteReport(RouteState.PENDING, detail)
