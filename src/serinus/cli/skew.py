"""A command line and an operator of two versions: said once, since each knows what it knows."""

from __future__ import annotations

import functools

import typer

import serinus
from serinus.controller.kubernetes.presence import Driver


def difference(theirs: str | None, ours: str) -> str:
    """Return what to say of two versions, or nothing; None is one that could not be asked for."""
    if theirs is None or theirs == ours:
        return ""
    if not theirs:
        return (
            f"this is serinus {ours} and the operator is older: it does not say its version; "
            "serinus install upgrades it"
        )
    return (
        f"this is serinus {ours} and the operator runs {theirs}: what only one of them knows is "
        "not done; use the same version"
    )


def warn(by: Driver) -> None:
    """Say on standard error, once for each command, that the operator has another version."""
    _say(difference(by.version, serinus.__version__))


@functools.cache
def _say(text: str) -> None:
    if text:
        typer.echo(f"warning: {text}", err=True)
