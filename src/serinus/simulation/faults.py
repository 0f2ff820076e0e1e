"""What can go wrong, and what people do at the wrong moment: a closed list, each one draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from serinus import kubernetes_model as model
from serinus.kubernetes_model.controllers import Controllers
from serinus.kubernetes_model.kinds import DEPLOYMENTS, PODS, SERVICES
from serinus.release.model import CommandVerb, Phase
from serinus.release.revision import RESTARTED_AT
from serinus.simulation.cache import PLURALS
from serinus.simulation.example import NAME, NEW, OLD, THIRD
from serinus.simulation.watch import Trouble
from serinus.simulation.world import a_deployment, a_service, a_template, image_of
from serinus.traffic.pods import is_ready

if TYPE_CHECKING:
    from serinus.simulation.simulation import Simulation

LAG_MS = 20_000
"""Longer than two drivers can overlap: who lost the Lease stops after four seconds, so a lagging
watch and a second leader do not come together."""
SLOW_MS = 15_000
CLOCK_MS = 60_000
DOWN_MS = 900_000
"""Longer than a progress deadline."""


class Fault(msgspec.Struct, frozen=True):
    """One thing that may happen between two steps."""

    name: str
    happen: Callable[[Simulation], object]
    applies: Callable[[Simulation], bool] = lambda _: True
    trouble: Trouble = Trouble.NONE
    blinds: bool = False


def _lag(plural: str) -> Fault:
    return Fault(
        f"the watch of {plural} lags",
        lambda sim: sim.driver.cache.fall_behind(plural, sim.world.now + LAG_MS),
        lambda sim: sim.second is None and not sim.driver.cache.lags(plural),
        blinds=True,
    )


def _all_lag(sim: Simulation) -> None:
    for plural in PLURALS:
        sim.driver.cache.fall_behind(plural, sim.world.now + LAG_MS)


def _skew(sim: Simulation, by_ms: int) -> None:
    sim.driver.skew_ms += by_ms


def _sleep(sim: Simulation) -> None:
    sim.world.asleep_until_ms = sim.world.now + SLOW_MS


def _slow(sim: Simulation) -> None:
    sim.world.slow_until_ms = sim.world.now + SLOW_MS


def _restart_controllers(sim: Simulation) -> None:
    sim.world.controllers.close()
    sim.world.controllers = Controllers(sim.world.cluster, events=False)


MACHINES = (
    *(_lag(plural) for plural in PLURALS if plural != "horizontalpodautoscalers"),
    Fault("all watches lag", _all_lag, lambda sim: sim.second is None, blinds=True),
    Fault(
        "an event is missed",
        lambda sim: sim.driver.miss(),
        lambda sim: sim.driver.cache.has_news(),
    ),
    Fault("an event is repeated", lambda sim: sim.driver.wake()),
    Fault("the clock jumps ahead", lambda sim: _skew(sim, CLOCK_MS), blinds=True),
    Fault("the clock jumps back", lambda sim: _skew(sim, -CLOCK_MS), blinds=True),
    Fault("the controllers sleep", _sleep, lambda sim: sim.world.asleep_until_ms <= sim.world.now),
    Fault("the pods are slow", _slow, lambda sim: sim.world.slow_until_ms <= sim.world.now),
    Fault("the controllers restart", _restart_controllers),
)
"""What machines do: users must not notice any of it."""


# Nodes and people.


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


def _command(verb: CommandVerb, weight_bp: int | None = None) -> Fault:
    named = verb.value if weight_bp is None else f"{verb.value} {weight_bp // 100}"
    return Fault(
        f"a person says {named}",
        lambda sim: sim.world.give(verb, weight_bp),
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


def _is_held(sim: Simulation) -> bool:
    found = sim.world.find(DEPLOYMENTS)
    return found is not None and bool(found["spec"].get("paused"))


def _recreate_service(sim: Simulation) -> None:
    sim.world.delete(SERVICES, NAME)
    sim.world.create(SERVICES, a_service())


def _delete_deployment(propagation: model.Propagation) -> Fault:
    def happen(sim: Simulation) -> None:
        image = sim.world.image() or OLD
        sim.world.delete(DEPLOYMENTS, NAME, propagation)
        # A new Deployment with a figure that is ours too says nothing of what its owner wants.
        sim.world.wished_count = None if sim.mid_scaling else sim.world.example.replica_count
        sim.comes_again = a_deployment(sim.world.example, image)

    return Fault(
        f"the Deployment is created anew ({propagation.value})",
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
    Fault("the canary is deleted", _delete_canary, _has_canary, trouble=Trouble.OTHERS),
    Fault("the canary is scaled to 1", _scale_canary, _has_canary, trouble=Trouble.OTHERS),
    Fault(
        "the Deployment is resumed",
        lambda sim: sim.world.change(DEPLOYMENTS, NAME, paused=None),
        _is_held,
        trouble=Trouble.OTHERS,
    ),
    Fault(
        "the Service is created anew",
        _recreate_service,
        lambda sim: sim.world.find(SERVICES) is not None,
        trouble=Trouble.OTHERS,
    ),
    *(_delete_deployment(propagation) for propagation in model.Propagation),
    Fault(
        "a Deployment comes that matches all pods",
        _broaden,
        lambda sim: sim.world.find(DEPLOYMENTS, "broader") is None,
        trouble=Trouble.OTHERS,
    ),
)
"""What nodes and people do: users may notice, but the release must come to a good end."""

ALL = (*MACHINES, *PEOPLE)


def that_apply(sim: Simulation, among: tuple[Fault, ...]) -> Iterator[Fault]:
    """Yield the faults that would change anything now."""
    return (fault for fault in among if fault.applies(sim))
