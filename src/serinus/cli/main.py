"""The command line: assembles the verbs, and turns every error into words and an exit code.

Exit codes: 0 done; 1 the cluster's state refuses, or the release failed; 2 the input is wrong;
3 the cluster cannot be reached; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

import serinus
from serinus.cli import lint, load, local
from serinus.cli.look import verbs as look_verbs
from serinus.cli.operating import controller, install, router
from serinus.cli.release_verbs import begin, verbs
from serinus.errors import SerinusError

DEBUG = "--debug"

app = typer.Typer(
    name="serinus",
    help="Canary releases for plain Kubernetes Deployments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    epilog="Examples: serinus demo · serinus release shop web=shop:1.8 --steps "
    "5,pause:10m,25,pause · serinus status shop --watch",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"serinus {serinus.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Canary releases for plain Kubernetes Deployments."""


begin.register(app)
verbs.register(app)
look_verbs.register(app)
load.register(app)
install.register(app)
lint.register(app)
controller.register(app)
app.add_typer(router.app, name="router", rich_help_panel=controller.PANEL)
app.add_typer(local.app, name="local")


@app.command("demo", rich_help_panel="Try it", epilog="Example: serinus demo --keep")
def demo(
    output: Annotated[
        Path, typer.Option("--output", metavar="FOLDER", help="Where to leave the picture.")
    ] = Path("demo-report"),
    fast: Annotated[bool, typer.Option("--fast", help="Shorter pauses, for tests.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the cluster running.")] = False,
) -> None:
    """Watch a real canary release on a cluster made for it."""
    from serinus.cli.session import run_async
    from serinus.demo import classic

    run_async(classic.play(output, fast=fast, keep=keep))


def program_name(argument: str) -> str:
    """Return how the user called us, as usage lines should say it."""
    name = Path(argument).name
    return "kubectl serinus" if name.startswith("kubectl-serinus") else "serinus"


def run() -> None:
    """Run the command line and exit."""
    try:
        app(prog_name=program_name(sys.argv[0]))
    except SerinusError as error:
        if DEBUG in sys.argv or os.environ.get("SERINUS_DEBUG"):
            import traceback

            traceback.print_exc()
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone: as `head` does. Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
