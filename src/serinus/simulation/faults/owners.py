"""What the owner of a release does to it and to its hold: delete it, pause, break the glass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serinus.kubernetes_model.kinds import DEPLOYMENTS
from serinus.release.holding import HELD, MANAGED, OFF, RELEASE_LABEL, label_of
from serinus.release.observation import HoldBy
from serinus.simulation.example import NAME
from serinus.simulation.faults.fault import Fault
from serinus.simulation.watch import Trouble

if TYPE_CHECKING:
    from serinus.simulation.simulation import Simulation


def _delete_release(sim: Simulation) -> None:
    sim.world.delete_release()


def _paused(sim: Simulation) -> bool:
    found = sim.world.find(DEPLOYMENTS)
    return found is not None and bool(found["spec"].get("paused"))


def _hold_label(sim: Simulation) -> str:
    found = sim.world.find(DEPLOYMENTS)
    return "" if found is None else label_of(found)


def _is_guarded(sim: Simulation) -> bool:
    """Tell whether the policy has its say in what others write to the Deployment."""
    return sim.world.hold_by is HoldBy.POLICY and _hold_label(sim) in (MANAGED, HELD)


def _resume(sim: Simulation) -> None:
    if not (_is_guarded(sim) and _hold_label(sim) == HELD):
        sim.watch.trouble = Trouble.OTHERS
        sim.world.paused_by_person = False
    sim.world.change(DEPLOYMENTS, NAME, paused=None)


def _pause(sim: Simulation) -> None:
    sim.world.change(DEPLOYMENTS, NAME, paused=True)
    # In the midst of a release nobody can tell whose pause it is.
    sim.world.paused_by_person = _hold_label(sim) == MANAGED


def _switch_off(sim: Simulation) -> None:
    sim.world.label(DEPLOYMENTS, NAME, RELEASE_LABEL, OFF)


def _drop_label(sim: Simulation) -> None:
    sim.world.label(DEPLOYMENTS, NAME, RELEASE_LABEL, None)


OWNERS = (
    Fault(
        "the release is deleted",
        _delete_release,
        lambda sim: not sim.world.stored.release.leaving,
        trouble=Trouble.QUARTER,
    ),
    Fault("the Deployment is resumed", _resume, _paused),
    Fault(
        "the Deployment is paused by a person",
        _pause,
        lambda sim: _is_guarded(sim) and not _paused(sim),
    ),
    Fault("the hold is switched off", _switch_off, _is_guarded, trouble=Trouble.OTHERS),
    Fault("the label of the hold is dropped", _drop_label, _is_guarded),
    Fault(
        "the policy is taken away",
        lambda sim: sim.world.switch_hold(HoldBy.FIELD),
        lambda sim: sim.world.hold_by is HoldBy.POLICY,
        trouble=Trouble.OTHERS,
    ),
    Fault(
        "the policy is installed",
        lambda sim: sim.world.switch_hold(HoldBy.POLICY),
        lambda sim: sim.world.hold_by is HoldBy.FIELD,
    ),
)
"""What owners do: where the policy holds, users must not notice."""
