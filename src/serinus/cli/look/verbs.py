"""The verbs that only look: status, list, history."""

from __future__ import annotations

from typing import Annotated

import typer

from serinus.cli.options import ClusterOptions, with_cluster

PANEL = "Look"


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for name, verb, example in (
        ("status", status, "serinus status shop --watch"),
        ("list", list_, "serinus list -A"),
        ("history", history, "serinus history shop"),
    ):
        app.command(name, rich_help_panel=PANEL, epilog=f"Example: {example}")(with_cluster(verb))


def status(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The Deployment: NAME or deployment/NAME.")
    ],
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Stay and show each change.")
    ] = False,
    service: Annotated[
        str | None,
        typer.Option(
            "--service",
            metavar="NAME",
            help="The Service, if there are several.",
            show_default=False,
        ),
    ] = None,
    *,
    options: ClusterOptions,
) -> None:
    """Show a release or a hand-made pair: pods, shares, step, what it waits for, who drives."""
    from serinus.cli.look import answers
    from serinus.cli.session import run_async

    run_async(answers.status(name, options, watch=watch, service=service))


def list_(
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")
    ] = False,
    selector: Annotated[
        str | None,
        typer.Option(
            "--selector",
            "-l",
            metavar="SELECTOR",
            help="Only releases whose Deployment has these labels.",
            show_default=False,
        ),
    ] = None,
    *,
    options: ClusterOptions,
) -> None:
    """List the releases."""
    from serinus.cli.look import answers
    from serinus.cli.session import run_async

    run_async(answers.list_releases(options, all_namespaces=all_namespaces, selector=selector))


def history(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The Deployment: NAME or deployment/NAME.")
    ],
    *,
    options: ClusterOptions,
) -> None:
    """Show how the last releases ended."""
    from serinus.cli.look import answers
    from serinus.cli.session import run_async

    run_async(answers.history(name, options))
