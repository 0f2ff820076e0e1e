"""`serinus local`: a Kubernetes sandbox on this machine, for trying things out."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serinus.local_cluster.lifecycle import LocalCluster, Up

app = typer.Typer(
    help="Run a Kubernetes sandbox on this machine: real API, pods as processes.",
    no_args_is_help=True,
    epilog="Examples: serinus local up --background · serinus local kubectl -- get pods "
    "· serinus local down",
)

Name = Annotated[str, typer.Option("--name", metavar="NAME", help="Which local cluster.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--state-folder",
        metavar="FOLDER",
        help="Where it keeps its things, in place of the user's state folder.",
        envvar="SERINUS_STATE",
    ),
]
_WATCH_S = 0.25
_CRASHES_MAX = 5


def _cluster(name: str, folder: Path | None, images: Path | None = None) -> LocalCluster:
    if sys.platform == "win32":
        from serinus import errors

        raise errors.UsageError("serinus local does not run on Windows; use it within WSL")
    from serinus.local_cluster import lifecycle, state_folder

    path = folder if folder is not None else state_folder.default_path(name)
    return lifecycle.LocalCluster(state_folder.StateFolder(path), name, images)


def _say(text: str) -> None:
    typer.echo(text, err=True)


@app.command()
def up(
    name: Name = "default",
    state_folder: Folder = None,
    background: Annotated[
        bool, typer.Option("--background", "-b", help="Return when it is ready, and let it run.")
    ] = False,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port of the API server.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="FILE",
            exists=True,
            help="More images and what plays them, as YAML.",
        ),
    ] = None,
) -> None:
    """Start the sandbox, or what of it does not run.

    Example: serinus local up --background
    """
    cluster = _cluster(name, state_folder, images)
    if images is not None:
        cluster.require_new_node()
    stop = threading.Event()
    if not background:
        # From the start on: Ctrl-C must also end what has only half begun.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: stop.set())
    result = cluster.up(port)
    ran_already = _announce(result, background=background)
    if not background and not ran_already:
        _stay(cluster, stop)


def _announce(result: Up, *, background: bool) -> bool:
    """Say what runs and what to do next; return whether all of it ran already."""
    from serinus.local_cluster.lifecycle import Began

    states = {result.server, result.node}
    ran_already = states == {Began.ALREADY_RUNNING}
    if ran_already:
        _say(f"The local cluster runs already: https://127.0.0.1:{result.port}")
    else:
        _say(f"The local cluster is ready: https://127.0.0.1:{result.port}")
        for word, began in (("server", result.server), ("node", result.node)):
            if Began.ALREADY_RUNNING in states or began is Began.RESTARTED:
                _say(f"  {word}: {began.value}")
    _say("Pods are processes of yours on this machine; this is a sandbox, not a cluster.")
    _say("Next:")
    _say("  serinus local kubectl -- apply -f examples/nginx-canary/stable.yaml")
    _say(f"  export KUBECONFIG={result.kubeconfig}")
    _say("  serinus local down" if background or ran_already else "Ctrl-C stops it.")
    return ran_already


def _stay(cluster: LocalCluster, stop: threading.Event) -> None:
    """Stay until a signal or `down`; start a process that crashed again."""
    crash_count = 0
    while not stop.wait(_WATCH_S):
        if cluster.was_stopped():
            _say("The local cluster was stopped.")
            return
        if cluster.has_crashed():
            crash_count += 1
            if crash_count > _CRASHES_MAX:
                from serinus import errors

                cluster.down()
                raise errors.RefusedError(
                    "Crashed",
                    f"a process of the local cluster ended {crash_count} times; see "
                    f"{cluster.folder.path}",
                )
            result = cluster.up()
            _say(f"A process had ended: server {result.server.value}, node {result.node.value}.")
    _say("Stopping pods ...")
    cluster.down()


@app.command()
def down(name: Name = "default", state_folder: Folder = None) -> None:
    """Stop the pods and the sandbox; its objects are kept for the next `up`.

    Example: serinus local down
    """
    stopped = _cluster(name, state_folder).down()
    _say(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing ran.")


@app.command()
def status(name: Name = "default", state_folder: Folder = None) -> None:
    """Show what runs; exit with 1 when not all of it does.

    Example: serinus local status
    """
    state = _cluster(name, state_folder).state()
    if not state.exists:
        typer.echo(f"There is no local cluster in {state.folder}; `serinus local up` makes one.")
        raise typer.Exit(1)
    typer.echo(f"API server  https://127.0.0.1:{state.port}")
    typer.echo(f"folder      {state.folder}")
    for process in state.processes:
        word = "ready" if process.ready else "not ready"
        text = "not running" if process.pid is None else f"{word}, pid {process.pid}"
        typer.echo(f"{process.name:<11} {text}")
    if not all(process.ready for process in state.processes):
        raise typer.Exit(1)


@app.command()
def logs(
    process: Annotated[str, typer.Argument(help="server or node.")] = "server",
    name: Name = "default",
    state_folder: Folder = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines.")] = 100,
) -> None:
    """Print what the server or the node printed (of pods: serinus local kubectl -- logs POD).

    Example: serinus local logs node
    """
    from serinus import errors

    if process not in {"server", "node"}:
        raise errors.UnknownName("process", process, ("server", "node"))
    output = _cluster(name, state_folder).folder.output(process)
    if not output.exists():
        raise errors.RefusedError("NoLog", f"{output} does not exist: it has not run yet")
    for line in output.read_text(errors="replace").splitlines()[-lines:]:
        typer.echo(line)


@app.command()
def reset(name: Name = "default", state_folder: Folder = None) -> None:
    """Stop the sandbox and forget everything in it.

    Example: serinus local reset
    """
    cluster = _cluster(name, state_folder)
    cluster.reset()
    _say(f"Removed {cluster.folder.path}.")


@app.command()
def kubeconfig(
    name: Name = "default",
    state_folder: Folder = None,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge", help="Add its context to your own kubeconfig; nothing is switched."
        ),
    ] = False,
) -> None:
    """Print the path of the sandbox's own kubeconfig.

    Example: export KUBECONFIG=$(serinus local kubeconfig)
    """
    folder = _made(name, state_folder).folder
    if not merge:
        typer.echo(str(folder.kubeconfig))
        return
    from serinus.local_cluster import kubeconfig as kubeconfigs

    named = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    target = Path(named) if named else Path.home() / ".kube" / "config"
    context = kubeconfigs.merge(folder.kubeconfig, target)
    _say(f"{target} has the context {context} now: kubectl --context {context} get pods")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def kubectl(context: typer.Context, name: Name = "default", state_folder: Folder = None) -> None:
    """Run kubectl against the sandbox: the one on PATH, or the one that came with serinus.

    Example: serinus local kubectl -- get pods
    """
    from serinus.local_cluster import kubectl as tool

    folder = _made(name, state_folder).folder
    tool.replace_this_process(folder.kubeconfig, context.args)


def _made(name: str, state_folder: Path | None) -> LocalCluster:
    cluster = _cluster(name, state_folder)
    if not cluster.folder.kubeconfig.exists():
        from serinus import errors

        raise errors.RefusedError(
            "NoCluster",
            f"there is no local cluster in {cluster.folder.path}; run `serinus local up` first",
        )
    return cluster
