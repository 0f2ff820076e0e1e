"""From what was typed to the `Spec` of a release: file first, then the record, then options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from serinus.api import codec, text
from serinus.cli import manifest
from serinus.cli.release_verbs import routing
from serinus.cli.release_verbs.routing import RoutingWish
from serinus.errors import InvalidInput, UsageError
from serinus.release.model import Pause, Promotion, SetWeight, Spec, Step
from serinus.traffic.router import Mode

_PROMOTIONS = {"adopt": Promotion.ADOPT, "rolling-update": Promotion.ROLLING_UPDATE}
_MODES = {"surge": Mode.SURGE, "constant": Mode.CONSTANT}


class Wish(msgspec.Struct, frozen=True):
    """The arguments of `serinus release`."""

    name: str
    images: tuple[str, ...] = ()
    steps: str | None = None
    weight: str | None = None
    file: Path | None = None
    service: str | None = None
    promotion: str | None = None
    mode: str | None = None
    settle: str | None = None
    undo_window: str | None = None
    routing: RoutingWish = RoutingWish()
    allow_coarse: bool = False
    allow_recreate: bool = False
    allow_autoscaler: bool = False


def from_file(wish: Wish, target: str) -> Spec | None:
    """Return the spec of `--file`, or None without one.

    Raises:
        InvalidInput: with file, line and field path of each problem.
    """
    if wish.file is None:
        return None
    documents = manifest.read(wish.file)
    if len(documents) != 1:
        raise InvalidInput(
            str(wish.file), [f"holds {len(documents)} documents; one CanaryRelease is wanted"]
        )
    document = documents[0]
    if not isinstance(document.value, dict):
        raise document.placed(
            InvalidInput("manifest", ["it is no object; one CanaryRelease is wanted"])
        )
    try:
        found = codec.decode(document.value)
    except InvalidInput as error:
        raise document.placed(error) from error
    if found.spec.target != target:
        wrong = InvalidInput(
            "manifest",
            [f"spec.targetRef.name: it is {found.spec.target!r}, the command names {target!r}"],
        )
        raise document.placed(wrong)
    return found.spec


def steps_of(wish: Wish) -> tuple[Step, ...] | None:
    """Return the steps that were typed, or None.

    Raises:
        UsageError: they cannot be read; the position is named.
    """
    if wish.steps is not None and wish.weight is not None:
        raise UsageError("--steps and --weight say the same thing: give one of them")
    if wish.steps is not None:
        return text.parse_steps(wish.steps)
    if wish.weight is None:
        return None
    try:
        return (SetWeight(text.parse_weight(wish.weight)), Pause())
    except ValueError as error:
        raise InvalidInput("--weight", [str(error)]) from error


def overrule(spec: Spec, wish: Wish) -> Spec:
    """Return the spec with everything that was typed in place of what it said."""
    changes: dict[str, Any] = {
        "steps": steps_of(wish),
        "promotion": _PROMOTIONS.get(wish.promotion or ""),
        "mode": _MODES.get(wish.mode or ""),
        "settle_ms": _typed("--settle", wish.settle, text.parse_duration),
        "undo_window_ms": _typed("--undo-window", wish.undo_window, text.parse_duration),
        "allow_coarse": wish.allow_coarse or None,
        "allow_recreate": wish.allow_recreate or None,
        "allow_autoscaler": wish.allow_autoscaler or None,
    }
    kept = {name: value for name, value in changes.items() if value is not None}
    return routing.overrule(msgspec.structs.replace(spec, **kept), wish.routing)


def _typed(option: str, value: str | None, parse: Callable[[str], int]) -> int | None:
    if value is None:
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise InvalidInput(option, [str(error)]) from error
