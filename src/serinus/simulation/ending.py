"""What is held to be true when a release has come to its end: liveness, silence, no trace of us."""

from __future__ import annotations

from collections import Counter
from typing import Any

from serinus.kubernetes_model.kinds import DEPLOYMENTS, PODS, SERVICES
from serinus.release.holding import HELD, MANAGED, OFF, label_of
from serinus.release.model import Phase
from serinus.release.observation import HoldBy
from serinus.release.render import REVISION_ANNOTATION
from serinus.simulation.choices import Replay
from serinus.simulation.example import NAME
from serinus.simulation.manifests import image_of
from serinus.simulation.simulation import Simulation
from serinus.simulation.watch import Trouble, Violation
from serinus.simulation.world import World
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import HASH_LABEL, is_ready

SILENT_MS = 3_600_000
SILENT_COUNT = 3


def check(sim: Simulation) -> None:
    """Raise a Violation where the end is not a good one."""
    phase = sim.world.status.phase
    if sim.world.is_forgotten:
        _is_left(sim.world)
        return
    if phase is Phase.DEGRADED:
        if not sim.world.status.message:
            raise Violation("it is degraded and says no reason")
    elif phase is Phase.HEALTHY or phase is Phase.ABORTED:
        _is_whole(sim.world, phase)
    else:
        raise Violation(f"it rests in phase {phase.value}")
    if sim.watch.trouble is Trouble.NONE:
        _is_expected(sim.world, phase)
    _is_answered(sim.world)
    _is_silent(sim)


def _is_whole(world: World, phase: Phase) -> None:
    """One revision runs at full strength, all of it serves, and nothing of ours is left."""
    target, service = world.find(DEPLOYMENTS), world.find(SERVICES)
    if target is None or service is None:
        raise Violation(f"{phase.value} without a Deployment or a Service")
    if any(True for _ in world.canaries()):
        raise Violation("a canary is left")
    if HASH_LABEL in service["spec"]["selector"]:
        raise Violation("the Service is narrowed at rest")
    _is_held(world, target, phase)
    ready = _ready_of_one_kind(world, target)
    runs_template = image_of(target) in ready
    if ready and runs_template is not (phase is Phase.HEALTHY):
        raise Violation(f"{phase.value}, and {dict(ready)} are ready")


def _ready_of_one_kind(world: World, target: Manifest) -> Counter[str]:
    """Return how many pods of which image are ready: as many as the owner wants, of one."""
    n = target["spec"]["replicas"]
    if world.wished_count is not None and n != world.wished_count:
        raise Violation(f"N is {n}, and its owner wants {world.wished_count}")
    ready = Counter(image_of(pod) for pod in world.list(PODS) if is_ready(pod))
    if ready.total() != n or len(ready) > 1:
        raise Violation(f"{dict(ready)} are ready at the end, not {n} of one kind")
    return ready


def _is_held(world: World, target: Manifest, phase: Phase) -> None:
    """A template that waits is paused; at rest only the field pauses, or its owner."""
    paused, label = bool(target["spec"].get("paused")), label_of(target)
    if phase is Phase.ABORTED or world.hold_by is HoldBy.FIELD:
        if not paused:
            raise Violation(f"{phase.value}, and the Deployment is not held")
    elif paused is not world.paused_by_person:
        raise Violation(f"{phase.value} under the policy, and spec.paused is {paused}")
    if world.hold_by is HoldBy.POLICY:
        labels = (HELD, OFF) if phase is Phase.ABORTED else (MANAGED, OFF)
        if label not in labels:
            raise Violation(f"{phase.value} under the policy, and the label is {label!r}")


def _is_left(world: World) -> None:
    """Everything is as before, but for what its owner changed and what was promoted."""
    for found in world.canaries():
        raise Violation(f"{found['metadata']['name']} is left")
    target, service = world.find(DEPLOYMENTS), world.find(SERVICES)
    for kind, now in (("Deployment", target), ("Service", service)):
        before = world.before[kind]
        if now is not None and before is not None and _kept(now) != _kept(before):
            raise Violation(f"{kind}: {_kept(now)} is left of {_kept(before)}")
    if target is None:
        return
    ready = _ready_of_one_kind(world, target)
    paused = bool(target["spec"].get("paused"))
    waits = bool(ready) and image_of(target) not in ready
    if paused is not (waits or world.paused_by_person) and target["spec"]["replicas"]:
        raise Violation(f"it was left with spec.paused {paused} and {dict(ready)}")


def _kept(found: Manifest) -> tuple[Any, ...]:
    """Return what a release must leave in an object as it was before."""
    meta, free = found["metadata"], ("template", "replicas", "paused", "clusterIP", "clusterIPs")
    return (
        {k: v for k, v in found["spec"].items() if k not in free},
        meta.get("labels") or {},
        meta.get("finalizers") or [],
        {k for k in meta.get("annotations") or () if k != REVISION_ANNOTATION},
    )


def _is_expected(world: World, phase: Phase) -> None:
    """Without trouble a release ends as its owner wished it to."""
    aborts = world.example.broken or "abort" in {a.value for a in world.example.answers}
    if phase is not Phase.HEALTHY and not aborts:
        raise Violation(f"it ended {phase.value} and should be Healthy: {world.status.message}")


def _is_answered(world: World) -> None:
    """Nothing that a person said was lost, not even when it came while a driver wrote."""
    given, last = world.command_count, world.status.last_command
    if given and (last is None or last.id != f"command-{given}"):
        raise Violation(f"command-{given} was never answered")


def _is_silent(sim: Simulation) -> None:
    """Hours later nothing was written and nobody was woken but to look again."""
    sim.choices, sim.shuffled = Replay(), False
    status, version = sim.world.status, sim.world.change_count
    for _ in range(SILENT_COUNT):
        sim.world.now += SILENT_MS
        sim.turn()
        last = sim.driver.last
        if last is None or last.decision.wake_at is not None or last.sent:
            raise Violation("it does not rest")
    if sim.world.status != status or sim.world.change_count != version:
        raise Violation(f"at rest something is written: {status} -> {sim.world.status}")
    if sim.world.find(DEPLOYMENTS, NAME) is None and status.phase is not Phase.DEGRADED:
        raise Violation("the Deployment is gone, and that is not said")
