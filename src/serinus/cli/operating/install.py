"""The verbs that bring the controller into a cluster and out of it: install, uninstall."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from serinus.cli.options import ClusterOptions, DryRun, with_cluster

PANEL = "Operator"
INSTALL_EPILOG = """Examples:

 serinus install --wait

 serinus install -o yaml > serinus.yaml

 serinus install --watch-namespace shop --watch-namespace pay

 serinus install --cli-only
"""


class HoldOption(enum.StrEnum):
    """What keeps a changed template from rolling out."""

    AUTO = "auto"
    POLICY = "policy"
    FIELD = "field"


class Extra(enum.StrEnum):
    """What may be installed beside the controller."""

    SERVICE_MONITOR = "servicemonitor"


Print = Annotated[
    bool, typer.Option("--print", help="Write the objects as YAML and change nothing.")
]
Timeout = Annotated[
    str,
    typer.Option("--timeout", metavar="TIME", help="Give up waiting after it (exit 1)."),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command("install", rich_help_panel=PANEL, epilog=INSTALL_EPILOG)(with_cluster(install))
    app.command("uninstall", rich_help_panel=PANEL, epilog="Example: serinus uninstall --let-go")(
        with_cluster(uninstall)
    )


def install(
    watch_namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--watch-namespace",
            metavar="NAME",
            help="Look after releases there only (repeatable); everywhere without it.",
            show_default=False,
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            metavar="IMAGE",
            help="The controller's image; serinus:VERSION without it.",
            show_default=False,
        ),
    ] = None,
    hold: Annotated[
        HoldOption,
        typer.Option(
            "--hold",
            help="What holds a changed template: policy needs Kubernetes 1.36 (1.34 with "
            "the beta on), field works everywhere, auto asks the cluster.",
        ),
    ] = HoldOption.AUTO,
    with_: Annotated[
        list[Extra] | None,
        typer.Option(
            "--with",
            metavar="servicemonitor",
            help="What else to install (repeatable).",
            show_default=False,
        ),
    ] = None,
    cli_only: Annotated[
        bool,
        typer.Option("--cli-only", help="No controller: the definition, the hold and the roles."),
    ] = False,
    force_conflicts: Annotated[
        bool,
        typer.Option("--force-conflicts", help="Take over fields that others have changed."),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until all replicas of the controller are ready.")
    ] = False,
    timeout: Timeout = "2m",
    print_: Print = False,
    dry_run: Annotated[
        DryRun, typer.Option("--dry-run", help="client: name the objects; server: let it check.")
    ] = DryRun.NONE,
    *,
    options: ClusterOptions,
) -> None:
    """Install or upgrade the controller, its roles and the definition of CanaryReleases."""
    from serinus.cli.operating import installing
    from serinus.cli.session import run_async

    choices = installing.Choices(
        watch_namespaces=tuple(watch_namespace or ()),
        image=image,
        hold=hold.value,
        service_monitor=Extra.SERVICE_MONITOR in (with_ or ()),
        cli_only=cli_only,
    )
    if print_ or installing.is_printed(options):
        installing.write(choices, options)
        return
    work = installing.install(
        choices, options, force=force_conflicts, limit=timeout if wait else None, dry_run=dry_run
    )
    run_async(work, leaving="the same command goes on with it")


def uninstall(
    let_go: Annotated[
        bool,
        typer.Option("--let-go", help="End all releases first; their traffic goes to stable."),
    ] = False,
    timeout: Timeout = "2m",
    print_: Annotated[
        bool, typer.Option("--print", help="Name the objects and change nothing.")
    ] = False,
    *,
    options: ClusterOptions,
) -> None:
    """Remove what `serinus install` made; refused while there are CanaryReleases."""
    from serinus.cli.operating import installing
    from serinus.cli.session import run_async

    run_async(
        installing.uninstall(options, let_go=let_go, limit=timeout, only_print=print_),
        leaving="the same command goes on with it",
    )
