"""The router `Envoy`: proxies of our own in front of a plain Service, there while needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import msgspec

from serinus.errors import InvalidInput
from serinus.traffic.envoy.files import files
from serinus.traffic.envoy.in_cluster import insertion, ports
from serinus.traffic.envoy.in_cluster.answers import answers
from serinus.traffic.envoy.in_cluster.options import EnvoyOptions, Keep
from serinus.traffic.envoy.in_cluster.place import Names, Place, is_ours
from serinus.traffic.envoy.plan import RouterPlan
from serinus.traffic.plan import (
    WEIGHT_BP_MAX,
    Live,
    Manifest,
    RouteReport,
    RouteState,
    TrafficPlan,
)
from serinus.traffic.pods import endpoint_is_ready, is_ready
from serinus.traffic.router import Capabilities, Capacity, Mode, Obstacle, Reads
from serinus.traffic.write import ObjectRef, Write

_OUR_MANAGER = "serinus"


class Envoy(msgspec.Struct, frozen=True):
    """Exact shares, rules and users that keep their version, on a plain Service."""

    options: EnvoyOptions = EnvoyOptions()

    @property
    def name(self) -> str:
        """Return what it is called in a manifest."""
        return "Envoy"

    @property
    def capabilities(self) -> Capabilities:
        """Return what it can do."""
        return Capabilities(
            exact_weights=True,
            content_rules=True,
            stickiness=True,
            mirror=True,
            stands_in_front=True,
            acknowledges=True,
        )

    def capacity(
        self,
        replica_count: int,
        weight_bp: int,
        *,
        mode: Mode,  # noqa: ARG002 - canaries come beside a whole stable, always
        surge: bool,  # noqa: ARG002
    ) -> Capacity:
        """Return as many canaries as the share needs, at least one, beside N stable pods."""
        n = replica_count
        if n <= 0 or weight_bp == 0:
            return Capacity(stable=n, canary=0)
        return Capacity(stable=n, canary=max(1, -(-n * weight_bp // WEIGHT_BP_MAX)))

    def render(self, plan: TrafficPlan, live: Live) -> tuple[Write, ...]:
        """Return what is safe now: objects, then the Service; or the reverse."""
        place = Place.of(live)
        if place is None:
            return ()
        if self._stands(plan, place):
            return insertion.steer(plan, place, live, self.options)
        return insertion.leave(place, live)

    def report(self, plan: TrafficPlan, live: Live) -> RouteReport:
        """Say whether every router does what the plan says, and all users reach routers."""
        place = Place.of(live)
        if place is None:
            return RouteReport(RouteState.REJECTED, "the Service is gone")
        if self._stands(plan, place):
            return insertion.report(plan, place, live, self.options)
        return insertion.left(place, live)

    def restore(self, live: Live) -> tuple[Write, ...]:
        """Return what takes the routers out."""
        place = Place.of(live)
        return () if place is None else insertion.leave(place, live)

    def reads(self, service: ObjectRef) -> Reads:
        """Return the objects of the routers, their pods, and the endpoints of both versions."""
        return Names(service.name, service.namespace).reads

    def owners_selector(self, live: Live) -> Mapping[str, str]:
        """Return the selector with the owner's value in place of ours."""
        place = Place.of(live)
        return {} if place is None else place.selector

    def sole_revision(self, live: Live) -> str | None:
        """Return the revision that every router gives everything."""
        place = Place.of(live)
        if place is None or not place.is_routed or place.plan is None:
            return None
        split = (place.plan.get("spec") or {}).get("split") or {}
        told = [answer for answer in answers(place).values() if answer is not None]
        generation = place.plan["metadata"].get("generation", 0)
        in_force = bool(told) and all(a.in_force_generation == generation for a in told)
        if not in_force or split.get("rules") or (place.plan.get("spec") or {}).get("mirror"):
            return None
        pins = {0: place.names.stable, 100: place.names.canary}
        weight = split.get("weight")
        return place.pin(pins[weight]) or None if weight in pins else None

    def strands_users(self, live: Live) -> bool:
        """Tell whether no router serves, or none has a pod to send to, though a pod is ready."""
        place = Place.of(live)
        if place is None or not place.is_routed or not any(is_ready(p) for p in live.pods):
            return False
        return not _any_ready(live.slices) or not _any_ready(place.parts.slices)

    def in_force_bp(self, live: Live, canary_revision: str, revisions: Set[str]) -> int:
        """Return the greatest share that a router gives the canary; plain, the share of pods."""
        place = Place.of(live)
        if place is None:
            return 0
        if place.is_routed:
            told = answers(place).values()
            return max((a.weight_bp for a in told if a is not None), default=0)
        uids = {p["metadata"]["uid"]: p["metadata"].get("labels", {}) for p in live.pods}
        listed = [
            uids[uid].get("pod-template-hash")
            for s in live.slices
            for e in s.get("endpoints") or ()
            if endpoint_is_ready(e) and (uid := (e.get("targetRef") or {}).get("uid", "")) in uids
        ]
        known = [each for each in listed if each in revisions]
        return WEIGHT_BP_MAX * known.count(canary_revision) // len(known) if known else 0

    def words_of(self, live: Live, pod: str) -> str:
        """Say which share a router has in force, and whether it is the plan's."""
        place = Place.of(live)
        ready = any(p["metadata"]["name"] == pod and is_ready(p) for p in live.parts.pods)
        answer = None if place is None else answers(place).get(pod)
        if answer is None:
            return "Ready, it has not answered yet" if ready else "not ready"
        plan = None if place is None else place.plan
        newest = 0 if plan is None else plan["metadata"].get("generation", 0)
        late = "" if answer.in_force_generation == newest else ", an older plan"
        problem = f": {answer.problem}" if answer.problem else ""
        return f"canary {answer.weight_bp / 100:g} % in force{late}{problem}"

    def obstacles(
        self, plan: TrafficPlan, live: Live, services: Sequence[Manifest]
    ) -> tuple[Obstacle, ...]:
        """Return why routers cannot stand in front of this Service."""
        place = Place.of(live)
        if place is None:
            return ()
        if live.parts.unserved:
            kinds = ", ".join(live.parts.unserved)
            why = f"the cluster does not serve {kinds}, or does not let us read it: serinus install"
            return (Obstacle("NoTrafficPlans", why),)
        return (*_of_service(place), *_of_labels(place, services), *self._of_rules(plan, place))

    def _stands(self, plan: TrafficPlan, place: Place) -> bool:
        if len(plan.backends) > 1:
            return True
        there = place.is_routed or place.deployment is not None
        return self.options.keep is Keep.ALWAYS and plan.kept and there

    def _of_rules(self, plan: TrafficPlan, place: Place) -> Iterator[Obstacle]:
        split = insertion.split_of(
            msgspec.structs.replace(plan, with_rules=True), place, self.options
        )
        listened = ports.listeners(place.service, place.target, place.plan)
        wanted = RouterPlan(
            name=place.names.service,
            ports=tuple(each.port for each in listened),
            split=split,
            retry_on_stable=self.options.retry_on_stable,
            mirror=self.options.mirror,
        )
        try:
            files(wanted, {}, folder="/")
        except InvalidInput as error:
            yield Obstacle("Rules", str(error))


def _of_service(place: Place) -> Iterator[Obstacle]:
    spec, name = place.service["spec"], place.names.service
    if spec.get("type") == "ExternalName":
        yield Obstacle("ExternalName", f"Service {name} is an ExternalName: it has no pods")
    elif spec.get("clusterIP") == "None":
        why = f"Service {name} is headless: clients remember pod addresses, and pass routers by"
        yield Obstacle("Headless", why)
    elif not place.key:
        yield Obstacle("NoSelector", f"Service {name} has no selector to point to routers")
    owners = [
        entry["manager"]
        for entry in place.service["metadata"].get("managedFields") or ()
        if entry.get("operation") == "Apply"
        and "f:selector" in (entry.get("fieldsV1") or {}).get("f:spec", {})
        and entry["manager"] != _OUR_MANAGER
    ]
    if owners:
        why = (
            f"field manager {owners[0]!r} owns the selector of Service {name} by server-side "
            "apply, and would point it away from routers"
        )
        yield Obstacle("SelectorOwned", why)
    for problem in ports.problems(place.service, place.target):
        yield Obstacle("Port", f"Service {name}: {problem}")


def _of_labels(place: Place, services: Sequence[Manifest]) -> Iterator[Obstacle]:
    names, labels = place.names, place.routed_selector
    own = {} if place.target is None else place.target["spec"]["selector"].get("matchLabels") or {}
    if own and own.items() <= labels.items():
        why = f"router pods would carry the labels that Deployment {names.service} selects"
        yield Obstacle("Labels", why)
    for other in services:
        selector = other["spec"].get("selector") or {}
        mine = other["metadata"]["name"] in (names.service, names.stable, names.canary)
        if selector and not mine and selector.items() <= labels.items():
            why = (
                f"Service {other['metadata']['name']} would select the router pods, too: give "
                f"Service {names.service} a label of its own in its selector"
            )
            yield Obstacle("OtherService", why)
    for ref in names.own:
        found = place.parts.find(ref.kind, ref.name)
        if found is not None and not is_ours(found, names):
            yield Obstacle("NameTaken", f"{ref} is there and is not ours; routers need its name")


def _any_ready(slices: Sequence[Manifest]) -> bool:
    return any(endpoint_is_ready(e) for s in slices for e in s.get("endpoints") or ())
