"""The verbs that speak to a release that is there: promote, abort, pause, resume, undo ..."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from serinus.cli.options import ClusterOptions, DryRun, with_cluster

PANEL = "Release"

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The Deployment: NAME or deployment/NAME.")
]
Service = Annotated[
    str | None,
    typer.Option(
        "--service", metavar="NAME", help="The Service, if there are several.", show_default=False
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait", help="Drive on to the end, also through pauses for a person.")
]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout", metavar="TIME", help="Give up waiting after it (exit 1).", show_default=False
    ),
]
DryRunOption = Annotated[
    DryRun, typer.Option("--dry-run", help="client: print what would be written; server: ask too.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for name, verb, example in (
        ("set-weight", set_weight, "serinus set-weight shop 25"),
        ("promote", promote, "serinus promote shop"),
        ("abort", abort, "serinus abort shop"),
        ("pause", pause, "serinus pause shop"),
        ("resume", resume, "serinus resume shop --wait"),
        ("skip", skip, "serinus skip shop"),
        ("retry", retry, "serinus retry shop"),
        ("undo", undo, "serinus undo shop"),
        ("restart", restart, "serinus restart shop"),
        ("wait", wait, "serinus wait shop --for healthy --timeout 5m"),
        ("leave", leave, "serinus leave shop"),
    ):
        app.command(name, rich_help_panel=PANEL, epilog=f"Example: {example}")(with_cluster(verb))


def _run(name: str, verb: str, options: ClusterOptions, **more: object) -> None:
    from serinus.cli.release_verbs import commands
    from serinus.cli.session import run_async

    more_words = commands.More(**more)  # type: ignore[arg-type] # typer has checked them
    leaving = "nothing advances until the same command or another verb goes on"
    run_async(commands.give(name, verb, options, more_words), leaving=leaving)


def set_weight(
    name: Name,
    weight: Annotated[
        str, typer.Argument(metavar="PERCENT", help="0 to 100, two decimals at most.")
    ],
    service: Service = None,
    allow_coarse: Annotated[
        bool, typer.Option("--allow-coarse", help="Accept a share far above the asked one.")
    ] = False,
    timeout: Timeout = None,
    dry_run: DryRunOption = DryRun.NONE,
    *,
    options: ClusterOptions,
) -> None:
    """Give the canary a share of the requests, and stay there."""
    from serinus.api.text import parse_weight
    from serinus.errors import InvalidInput

    try:
        weight_bp = parse_weight(weight)
    except ValueError as error:
        raise InvalidInput("weight", [str(error)]) from error
    _run(
        name,
        "set-weight",
        options,
        service=service,
        weight_bp=weight_bp,
        allow_coarse=allow_coarse,
        timeout=timeout,
        dry_run=dry_run,
    )


def promote(
    name: Name,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Also before the canary is there, and without the undo window."
        ),
    ] = False,
    service: Service = None,
    timeout: Timeout = None,
    dry_run: DryRunOption = DryRun.NONE,
    *,
    options: ClusterOptions,
) -> None:
    """Finish forward: skip what is left of the steps and make the canary's revision stable."""
    _run(name, "promote", options, full=full, service=service, timeout=timeout, dry_run=dry_run)


def abort(
    name: Name,
    service: Service = None,
    timeout: Timeout = None,
    dry_run: DryRunOption = DryRun.NONE,
    *,
    options: ClusterOptions,
) -> None:
    """Go back to the stable revision now, then take the canary away."""
    _run(name, "abort", options, service=service, timeout=timeout, dry_run=dry_run)


def pause(name: Name, *, options: ClusterOptions) -> None:
    """Stay at the present weight until `resume`."""
    _run(name, "pause", options)


def resume(
    name: Name, wait: Wait = False, timeout: Timeout = None, *, options: ClusterOptions
) -> None:
    """Go on from a pause."""
    _run(name, "resume", options, wait=wait, timeout=timeout)


def skip(
    name: Name, wait: Wait = False, timeout: Timeout = None, *, options: ClusterOptions
) -> None:
    """Leave the present step and go to the next one."""
    _run(name, "skip", options, wait=wait, timeout=timeout)


def retry(
    name: Name, wait: Wait = False, timeout: Timeout = None, *, options: ClusterOptions
) -> None:
    """Start an aborted release again from its first step."""
    _run(name, "retry", options, wait=wait, timeout=timeout)


def undo(
    name: Name, wait: Wait = False, timeout: Timeout = None, *, options: ClusterOptions
) -> None:
    """Set the template back: to the running revision, or after a promotion to the one before."""
    _run(name, "undo", options, wait=wait, timeout=timeout)


def restart(name: Name, timeout: Timeout = None, *, options: ClusterOptions) -> None:
    """Replace every pod by a rolling update; `kubectl rollout restart` refuses while it is held."""
    _run(name, "restart", options, timeout=timeout)


class Goal(enum.StrEnum):
    """Where a release can be waited for, as its phase says."""

    HEALTHY = "healthy"
    PROGRESSING = "progressing"
    PAUSED = "paused"
    PROMOTING = "promoting"
    ABORTING = "aborting"
    ABORTED = "aborted"
    DEGRADED = "degraded"


def wait(
    name: Name,
    goal: Annotated[Goal, typer.Option("--for", help="The phase to wait for.")] = Goal.HEALTHY,
    timeout: Timeout = None,
    *,
    options: ClusterOptions,
) -> None:
    """Wait until a release is healthy, paused, aborted ...; exit 1 when it will not get there."""
    from serinus.cli.release_verbs import waiting
    from serinus.cli.session import run_async
    from serinus.release.model import Phase

    run_async(waiting.wait(name, Phase[goal.name], options, timeout))


def leave(name: Name, timeout: Timeout = None, *, options: ClusterOptions) -> None:
    """Let a Deployment go: lift the hold and delete the record; its pods stay as they are."""
    _run(name, "leave", options, timeout=timeout)
