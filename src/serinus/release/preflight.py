"""What about the cluster a release must respect, found before it starts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from serinus.release.holding import OFF, OUR_MANAGER, apply_owners, label_of
from serinus.release.model import SetWeight, Spec
from serinus.release.neighbours import autoscalers, budgets
from serinus.release.observation import Finding, HoldBy
from serinus.release.render import CANARY_OF_LABEL, canary_name
from serinus.release.words import counted
from serinus.traffic.naming import LABEL_VALUE_MAX, shorten
from serinus.traffic.plan import WEIGHT_BP_MAX, Live, Manifest, RouterParts, TrafficPlan
from serinus.traffic.replica_ratio import (
    SURGE_WEIGHT_BP_MAX,
    capacity,
    in_words,
    is_coarse,
    replica_count_for,
    selects,
)
from serinus.traffic.router import Mode
from serinus.traffic.write import ObjectRef


class Surroundings(msgspec.Struct, frozen=True):
    """The objects around a release, as plain JSON."""

    target: Manifest
    service: Manifest | None
    services: Sequence[Manifest]
    autoscalers: Sequence[Manifest]
    deployments: Sequence[Manifest]
    replica_sets: tuple[Manifest, ...]
    slices: Sequence[Manifest]
    pods: Sequence[Manifest]
    replica_count: int
    """N, also while stable is held below it."""
    surge: bool
    budgets: Sequence[Manifest] = ()
    """The PodDisruptionBudgets that count these pods."""
    hold_by: HoldBy = HoldBy.FIELD
    parts: RouterParts = RouterParts()

    @property
    def live(self) -> Live:
        """Return what a router reads."""
        return Live(self.service, self.slices, self.pods, self.target, self.parts)


def findings(spec: Spec, around: Surroundings) -> tuple[Finding, ...]:
    """Return all there is to say, the blocking ones first."""
    n, narrowing = around.replica_count, _router(spec, around)
    found = [
        *_service(spec, around),
        *_target(spec, around),
        *_weights(spec, around),
        *autoscalers.findings(spec, around.autoscalers, n, surge=around.surge),
        *narrowing,
        *([] if narrowing else budgets.findings(around.budgets, n)),
    ]
    return tuple(sorted(found, key=lambda f: not f.blocking))


def is_narrowable(spec: Spec, around: Surroundings) -> bool:
    """Tell whether 0 and 100 % are exact here."""
    return not spec.routed_by.capabilities.weights_follow_replicas or not not_narrowable(around)


def _router(spec: Spec, around: Surroundings) -> list[Finding]:
    """Return what the router itself has to say of this place."""
    router = spec.routed_by
    if router.capabilities.weights_follow_replicas:
        return not_narrowable(around)
    obstacles = router.obstacles(TrafficPlan.split("", "", 0), around.live, around.services)
    return [Finding(o.reason, o.message, blocking=o.blocking) for o in obstacles]


def not_narrowable(around: Surroundings) -> list[Finding]:
    """Return why the Service's selector must not be narrowed to one revision, if so."""
    service = around.service
    if service is None:
        return []
    name = service["metadata"]["name"]
    why = []
    owners = [m for m in apply_owners(service, "f:selector") if m != OUR_MANAGER]
    if owners:
        why.append(
            f"field manager {owners[0]!r} owns the selector of Service {name} by server-side apply"
        )
    if service["spec"].get("clusterIP") == "None":
        why.append(f"Service {name} is headless: clients remember pod addresses")
    if service["spec"].get("publishNotReadyAddresses"):
        why.append(f"Service {name} publishes addresses that are not ready")
    uids = {pod["metadata"]["uid"] for pod in around.pods}
    strangers = [
        (e.get("targetRef") or {}).get("name", "?")
        for s in around.slices
        for e in s.get("endpoints") or ()
        if (e.get("targetRef") or {}).get("uid") not in uids and not _is_of_ours(e, around)
    ]
    if strangers:
        why.append(
            f"Service {name} also sends to {', '.join(strangers[:3])}, which belong to neither "
            "revision"
        )
    return [Finding("NarrowNever", f"{w}: 0 and 100 % are not exact") for w in why]


def _is_of_ours(endpoint: Manifest, around: Surroundings) -> bool:
    """Tell by its name whether a pod that is not among those seen is of our two Deployments.

    It may be gone, or come: pods and endpoints are followed by watches of their own.
    """
    mark = shorten(around.target["metadata"]["name"], LABEL_VALUE_MAX)
    uids = {around.target["metadata"]["uid"]} | {
        d["metadata"]["uid"]
        for d in around.deployments
        if (d["metadata"].get("labels") or {}).get(CANARY_OF_LABEL) == mark
    }
    owner_name = str((endpoint.get("targetRef") or {}).get("name", "")).rpartition("-")[0]
    return any(
        rs["metadata"]["name"] == owner_name
        and any(o["uid"] in uids for o in rs["metadata"].get("ownerReferences") or ())
        for rs in around.replica_sets
    )


def other_pods(service: Manifest, target: str) -> str:
    """Return what a Service selects in place of a Deployment's pods."""
    return (
        f"Service {service['metadata']['name']} selects {in_words(service)}, not the pods of "
        f"Deployment {target}"
    )


def _service(spec: Spec, around: Surroundings) -> list[Finding]:
    service = around.service
    labels = around.target["spec"]["template"].get("metadata", {}).get("labels") or {}
    if service is None:
        why = (
            f"spec.service.name: Service {spec.service} is not there; create it, or name the one "
            "in front of the pods"
        )
        return [Finding("ServiceMissing", why, blocking=True)]
    router = spec.routed_by
    wanted = dict(router.owners_selector(around.live))
    service = {**service, "spec": {**service["spec"], "selector": wanted}}
    if not selects(service, labels):
        why = f"spec.service.name: {other_pods(service, spec.target)}; name one that selects them"
        return [Finding("ServiceDoesNotSelect", why, blocking=True)]
    found = []
    by_connection = router.capabilities.weights_follow_replicas
    if by_connection and service["spec"].get("sessionAffinity") == "ClientIP":
        found.append(
            Finding(
                "SessionAffinity",
                f"Service {spec.service} has sessionAffinity: ClientIP, so clients of before never "
                "see the canary; --allow-coarse goes on all the same",
                blocking=not spec.allow_coarse,
            )
        )
    meta = service["metadata"]
    reads = router.reads(ObjectRef("v1", "Service", meta.get("namespace", ""), meta["name"]))
    known = {spec.service, *reads.services}
    others = [
        s["metadata"]["name"]
        for s in around.services
        if s["metadata"]["name"] not in known and selects(s, labels)
    ]
    if others:
        found.append(
            Finding(
                "OtherServices", f"the same pods also serve Service {', '.join(sorted(others))}"
            )
        )
    return found


def _target(spec: Spec, around: Surroundings) -> list[Finding]:
    target, found = around.target, []
    others = [m for m in apply_owners(target, "f:paused") if m != OUR_MANAGER]
    if others and around.hold_by is HoldBy.FIELD:
        found.append(
            Finding(
                "PausedByOther",
                f"field manager {others[0]!r} owns spec.paused of Deployment {spec.target} by "
                "server-side apply; take the field out of its manifest",
                blocking=True,
            )
        )
    if around.hold_by is HoldBy.POLICY and label_of(target) == OFF:
        found.append(
            Finding(
                "HoldOff",
                f"Deployment {spec.target} is labelled serinus.dev/release=off: a changed template "
                "rolls out at once, untried",
            )
        )
    strategy = (target["spec"].get("strategy") or {}).get("type", "RollingUpdate")
    if strategy == "Recreate" and not spec.allow_recreate:
        found.append(
            Finding(
                "Recreate",
                f"Deployment {spec.target} has strategy Recreate: its versions must not run side "
                "by side; --allow-recreate says they may",
                blocking=True,
            )
        )
    if target["spec"].get("revisionHistoryLimit") == 0:
        found.append(
            Finding(
                "NoHistory",
                f"Deployment {spec.target} has revisionHistoryLimit: 0: scaled to zero while held, "
                "no pod would start again",
            )
        )
    pod = target["spec"]["template"]["spec"]
    probed = any(c.get("readinessProbe") for c in pod["containers"])
    if not (probed or pod.get("readinessGates")):
        found.append(
            Finding(
                "NoReadinessProbe",
                f"no container of Deployment {spec.target} has a readinessProbe: a canary pod gets "
                "requests as soon as its process starts, also one that crashes or does not listen",
            )
        )
    name = canary_name(target, around.replica_sets)
    mark = shorten(spec.target, LABEL_VALUE_MAX)
    taken = [
        d
        for d in around.deployments
        if d["metadata"]["name"] == name
        and (d["metadata"].get("labels") or {}).get(CANARY_OF_LABEL) != mark
    ]
    if taken:
        found.append(
            Finding(
                "NameTaken",
                f"the canary would be called {name}, and a Deployment of that name is there that "
                "is not ours",
                blocking=True,
            )
        )
    return found


def _weights(spec: Spec, around: Surroundings) -> list[Finding]:
    n = around.replica_count
    found: list[Finding] = []
    if not spec.routed_by.capabilities.weights_follow_replicas:
        return found
    if spec.mode is Mode.CONSTANT and n == 1 and not around.surge:
        found.append(
            Finding(
                "OnePod",
                "Constant mode cannot share one pod out, and the strategy allows no surge; use "
                "Surge mode",
                blocking=True,
            )
        )
        return found
    for index, step in enumerate(spec.steps):
        if isinstance(step, SetWeight):
            problem = weight_problem(spec, n, step.weight_bp, surge=around.surge)
            if problem:
                found.append(
                    Finding("Weight", f"spec.steps[{index}].setWeight: {problem}", blocking=True)
                )
    return found


def weight_problem(spec: Spec, n: int, weight_bp: int, *, surge: bool) -> str:
    """Return why `n` replicas cannot express a weight, and what could; empty when they can."""
    asked = f"{weight_bp / 100:g} %"
    if not spec.routed_by.capabilities.weights_follow_replicas:
        return ""
    if spec.mode is Mode.SURGE and SURGE_WEIGHT_BP_MAX < weight_bp < WEIGHT_BP_MAX:
        return (
            f"{asked} is more than Surge mode reaches (50 %, as many canary pods as stable ones): "
            "use --mode constant"
        )
    if weight_bp in (0, WEIGHT_BP_MAX) or n == 0:
        return ""
    real_bp = capacity(n, weight_bp, mode=spec.mode, surge=surge).canary_share_bp
    if not is_coarse(weight_bp, real_bp) or spec.allow_coarse:
        return ""
    enough = replica_count_for(weight_bp, mode=spec.mode, surge=surge)
    return (
        f"{counted(n, 'replica')} cannot express {asked}: the nearest is {real_bp / 100:g} %. "
        f"{enough} replicas would do; --allow-coarse goes on all the same"
    )
