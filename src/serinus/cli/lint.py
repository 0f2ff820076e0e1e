"""The verb `lint`: manifests are checked where they are written, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PANEL = "Operator"


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("lint", rich_help_panel=PANEL, epilog="Example: serinus lint deploy/*.yaml")(lint)


def lint(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="YAML files; - is standard input. Other kinds are passed over."
        ),
    ],
) -> None:
    """Check CanaryReleases without a cluster, and name every problem with its line."""
    from serinus.cli import linting

    found, count = linting.check(files)
    for problem in found:
        typer.echo(problem)
    if not found and not count:
        typer.echo("error: there is no CanaryRelease in what was given", err=True)
        raise typer.Exit(2)
    if found:
        raise typer.Exit(2)
    typer.echo(f"{count} CanaryRelease{'' if count == 1 else 's'}, nothing wrong", err=True)
