"""The releases that are simulated: what is released how, and what a person does at the waits."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.release.model import CommandVerb, Pause, Promotion, SetWeight, Spec, Step
from serinus.release.observation import HoldBy
from serinus.simulation.choices import Choices
from serinus.traffic.router import Mode

NAMESPACE = "default"
NAME = "shop"
OLD, NEW, THIRD = "shop:1", "shop:2", "shop:3"


class Example(msgspec.Struct, frozen=True):
    """One release from its template on."""

    name: str
    replica_count: int
    surge: bool
    spec: Spec
    answers: tuple[CommandVerb, ...] = ()
    """What a person does at each wait for one; afterwards `resume`."""
    broken: bool = False
    """Whether pods of the new template never become ready."""
    hold_by: HoldBy = HoldBy.FIELD
    leaves: bool = False
    """Whether its owner deletes the release when it waits for her and all was answered."""


def a_spec(**changes: Any) -> Spec:
    """Return the wish of an example."""
    return Spec(target=NAME, service=NAME, allow_coarse=True, **changes)


_HALVES = (SetWeight(5_000), Pause())

EXAMPLES: dict[str, Example] = {
    example.name: example
    for example in (
        Example(
            name="adoption",
            replica_count=2,
            surge=True,
            spec=a_spec(steps=(SetWeight(3_300), Pause(5_000), SetWeight(5_000))),
        ),
        Example(
            name="rolling update",
            replica_count=2,
            surge=True,
            spec=a_spec(steps=(SetWeight(5_000),), promotion=Promotion.ROLLING_UPDATE),
        ),
        Example(
            name="abort",
            replica_count=2,
            surge=True,
            spec=a_spec(steps=_HALVES),
            answers=(CommandVerb.ABORT,),
        ),
        Example(
            name="adoption, constant",
            replica_count=2,
            surge=True,
            spec=a_spec(mode=Mode.CONSTANT, steps=(SetWeight(5_000),)),
        ),
        Example(
            name="abort, constant",
            replica_count=3,
            surge=False,
            spec=a_spec(mode=Mode.CONSTANT, steps=(SetWeight(6_700), Pause())),
            answers=(CommandVerb.ABORT,),
        ),
        Example(
            name="adoption, policy",
            replica_count=2,
            surge=True,
            spec=a_spec(steps=(SetWeight(3_300), Pause(5_000), SetWeight(5_000))),
            hold_by=HoldBy.POLICY,
        ),
        Example(
            name="leaving",
            replica_count=2,
            surge=True,
            spec=a_spec(steps=_HALVES),
            leaves=True,
        ),
        Example(
            name="leaving, constant, policy",
            replica_count=3,
            surge=False,
            spec=a_spec(mode=Mode.CONSTANT, steps=(SetWeight(6_700), Pause())),
            hold_by=HoldBy.POLICY,
            leaves=True,
        ),
    )
}


def draw(choices: Choices) -> Example:
    """Draw an example."""
    mode = list(Mode)[choices.below(2)]
    n = 1 + choices.below(4)
    surge = choices.below(3) > 0 or (mode is Mode.CONSTANT and n == 1)
    return Example(
        name="drawn",
        replica_count=n,
        surge=surge,
        spec=a_spec(
            mode=mode,
            steps=_draw_steps(choices, 100 if mode is Mode.CONSTANT else 50),
            promotion=list(Promotion)[choices.below(4) // 3],
            settle_ms=2_000 if choices.below(4) else 0,
            undo_window_ms=0 if choices.below(4) else 60_000,
        ),
        answers=_draw_answers(choices),
        broken=choices.below(8) == 7,
        hold_by=list(HoldBy)[choices.below(2)],
        leaves=choices.below(4) == 3,
    )


def _draw_steps(choices: Choices, percent_max: int) -> tuple[Step, ...]:
    weights = sorted(choices.below(percent_max + 1) for _ in range(choices.below(4)))
    steps: list[Step] = []
    for weight in weights:
        steps.append(SetWeight(weight * 100))
        pause = (None, Pause(), Pause(30_000))[choices.below(3)]
        if pause is not None:
            steps.append(pause)
    return tuple(steps)


def _draw_answers(choices: Choices) -> tuple[CommandVerb, ...]:
    usual = (CommandVerb.RESUME, CommandVerb.PROMOTE, CommandVerb.ABORT, CommandVerb.SKIP)
    return tuple(usual[choices.below(len(usual))] for _ in range(choices.below(3)))
