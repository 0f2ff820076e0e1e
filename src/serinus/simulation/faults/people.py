"""What nodes and people do: users may notice, but the release must come to a good end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serinus import kubernetes_model as model
from serinus.kubernetes_model.kinds import DEPLOYMENTS, PODS, SERVICES
from serinus.release.model import CommandVerb, Phase
from serinus.release.revision import RESTARTED_AT
from serinus.simulation.example import NAME, NEW, OLD, THIRD
from serinus.simulation.faults.fault import Fault
from serinus.simulation.faults.machines import SLOW_MS
from serinus.simulation.manifests import a_deployment, a_service, a_template, image_of
from serinus.simulation.watch import Trouble
from serinus.traffic.pods import is_ready

if TYPE_CHECKING:
    from serinus.simulation.simulation import Simulation

DOWN_MS = 900_000
"""Longer than a progress deadline."""


def _ready(sim: Simulation, image: str) -> list[dict[str, Any]]:
    return [pod for pod in sim.world.list(PODS) if is_ready(pod) and image_of(pod) == image]


def _lose(image: str, *, every: bool) -> Fault:
    def happen(sim: Simulation) -> None:
        pods = _ready(sim, image)
        for pod in pods if every else pods[:1]:
            sim.world.delete(PODS, pod["metadata"]["name"])
        if every:
            # Pods that go with their nodes stand there for a while.
            sim.world.lingering_until_ms = sim.world.now + SLOW_MS

    return Fault(
        f"{'every pod' if every else 'one pod'} of {image} is lost",
        happen,
        lambda sim: bool(_ready(sim, image)),
        trouble=Trouble.OTHERS,
    )


def _break_down(image: str) -> Fault:
    return Fault(
        f"every pod of {image} breaks down for a while",
        lambda sim: sim.world.break_down(image, sim.world.now + DOWN_MS),
        lambda sim: bool(_ready(sim, image)),
        trouble=Trouble.OTHERS,
    )


def _scale(by: int | None) -> Fault:
    def wanted(sim: Simulation) -> int:
        found = sim.world.find(DEPLOYMENTS)
        return 0 if by is None or found is None else max(0, found["spec"]["replicas"] + by)

    def happen(sim: Simulation) -> None:
        count, status = wanted(sim), sim.world.status
        # In Constant mode a figure that is ours too says nothing of what its owner wants.
        known = (status.stable_replica_count, status.stable_previous_count)
        ours = (*known, status.full_replica_count)
        sim.world.wished_count = None if count in ours or sim.mid_scaling else count
        sim.world.change(DEPLOYMENTS, NAME, replicas=count)

    return Fault(
        "N becomes 0" if by is None else f"N changes by {by:+}",
        happen,
        lambda sim: (
            sim.comes_again is None
            and (found := sim.world.find(DEPLOYMENTS)) is not None
            and found["spec"]["replicas"] != wanted(sim)
        ),
        trouble=Trouble.OTHERS,
    )


def _template(image: str) -> Fault:
    def happen(sim: Simulation) -> None:
        if sim.world.status.phase is Phase.PROMOTING:
            # In the instant of adoption the Deployment controller shares out what it finds.
            sim.watch.trouble = Trouble.OTHERS
        sim.world.set_image(image)

    return Fault(
        f"the template becomes {image}",
        happen,
        lambda sim: sim.world.image() not in (None, image),
        trouble=Trouble.QUARTER,
    )


def _restart(sim: Simulation) -> None:
    template = a_template(sim.world.image() or OLD)
    template["metadata"]["annotations"] = {RESTARTED_AT: str(sim.world.now)}
    sim.world.change(DEPLOYMENTS, NAME, template=template)


def _command(verb: CommandVerb, weight_bp: int | None = None, *, full: bool = False) -> Fault:
    named = verb.value if weight_bp is None else f"{verb.value} {weight_bp // 100}"
    return Fault(
        f"a person says {named}{' in full' if full else ''}",
        lambda sim: sim.world.give(verb, weight_bp, full=full),
        trouble=Trouble.QUARTER,
    )


def _has_canary(sim: Simulation) -> bool:
    return any(sim.world.canaries())


def _delete_canary(sim: Simulation) -> None:
    for canary in list(sim.world.canaries()):
        sim.world.delete(DEPLOYMENTS, canary["metadata"]["name"])


def _scale_canary(sim: Simulation) -> None:
    for canary in list(sim.world.canaries()):
        sim.world.change(DEPLOYMENTS, canary["metadata"]["name"], replicas=1)


def _recreate_service(sim: Simulation) -> None:
    sim.world.delete(SERVICES, NAME)
    sim.world.create(SERVICES, a_service())


def _recreate(propagation: model.Propagation, *, as_it_is: bool = False) -> Fault:
    def happen(sim: Simulation) -> None:
        image = sim.world.image() or OLD
        found = sim.world.find(DEPLOYMENTS)
        count = sim.world.example.replica_count
        if as_it_is and found is not None:
            # What stands there may be ours; in the one created anew it is its owner's.
            count = found["spec"]["replicas"]
        sim.world.delete(DEPLOYMENTS, NAME, propagation)
        sim.world.wished_count, sim.world.paused_by_person = count, False
        sim.comes_again = a_deployment(sim.world.example, image, replica_count=count)

    how = f"{propagation.value}, as it stands" if as_it_is else propagation.value
    return Fault(
        f"the Deployment is created anew ({how})",
        happen,
        lambda sim: sim.world.find(DEPLOYMENTS) is not None and sim.comes_again is None,
        trouble=Trouble.OTHERS,
    )


def _broaden(sim: Simulation) -> None:
    body = a_deployment(sim.world.example, OLD, replica_count=0)
    sim.world.create(DEPLOYMENTS, {**body, "metadata": {"name": "broader"}})


PEOPLE = (
    _lose(OLD, every=False),
    _lose(OLD, every=True),
    _lose(NEW, every=False),
    _lose(NEW, every=True),
    _break_down(OLD),
    _break_down(NEW),
    _scale(1),
    _scale(-1),
    _scale(None),
    _template(OLD),
    _template(NEW),
    _template(THIRD),
    Fault(
        "the pods are restarted",
        _restart,
        lambda sim: sim.world.image() is not None,
        trouble=Trouble.OTHERS,
    ),
    *(_command(verb) for verb in CommandVerb if verb is not CommandVerb.SET_WEIGHT),
    _command(CommandVerb.SET_WEIGHT, 0),
    _command(CommandVerb.SET_WEIGHT, 5_000),
    _command(CommandVerb.PROMOTE, full=True),
    Fault("the canary is deleted", _delete_canary, _has_canary, trouble=Trouble.OTHERS),
    Fault("the canary is scaled to 1", _scale_canary, _has_canary, trouble=Trouble.OTHERS),
    Fault(
        "the Service is created anew",
        _recreate_service,
        lambda sim: sim.world.find(SERVICES) is not None,
        trouble=Trouble.OTHERS,
    ),
    *(_recreate(propagation) for propagation in model.Propagation),
    _recreate(model.Propagation.BACKGROUND, as_it_is=True),
    Fault(
        "a Deployment comes that matches all pods",
        _broaden,
        lambda sim: sim.world.find(DEPLOYMENTS, "broader") is None,
        trouble=Trouble.OTHERS,
    ),
)
