"""What is held to be true when a release has come to its end: liveness, silence, no trace of us."""

from __future__ import annotations

from collections import Counter

from serinus.kubernetes_model.kinds import DEPLOYMENTS, PODS, SERVICES
from serinus.release.model import Phase
from serinus.simulation.choices import Replay
from serinus.simulation.example import NAME
from serinus.simulation.simulation import Simulation
from serinus.simulation.watch import Trouble, Violation
from serinus.simulation.world import World, image_of
from serinus.traffic.pods import HASH_LABEL, is_ready

SILENT_MS = 3_600_000
SILENT_COUNT = 3


def check(sim: Simulation) -> None:
    """Raise a Violation where the end is not a good one."""
    phase = sim.world.status.phase
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
    n = target["spec"]["replicas"]
    if world.wished_count is not None and n != world.wished_count:
        raise Violation(f"N is {n}, and its owner wants {world.wished_count}")
    if any(True for _ in world.canaries()):
        raise Violation("a canary is left")
    if HASH_LABEL in service["spec"]["selector"]:
        raise Violation("the Service is narrowed at rest")
    if target["spec"].get("paused") is not True:
        raise Violation("the Deployment is not held at rest")
    ready = Counter(image_of(pod) for pod in world.list(PODS) if is_ready(pod))
    if ready.total() != n or len(ready) > 1:
        raise Violation(f"{dict(ready)} are ready at the end of {phase.value}, not {n} of one kind")
    runs_template = image_of(target) in ready
    if n and runs_template is not (phase is Phase.HEALTHY):
        raise Violation(f"{phase.value}, and {dict(ready)} are ready")


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
