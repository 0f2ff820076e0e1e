"""The verbs `router`: take routers out, and what a router's pod runs."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from serinus.cli.options import ClusterOptions, with_cluster

app = typer.Typer(
    help="Routers in front of a Service.",
    no_args_is_help=True,
    epilog="Example: serinus router remove shop",
)


@app.callback()
def root() -> None:
    """Routers in front of a Service."""


@app.command("agent", epilog="Example: serinus router agent shop --listen 10.0.0.7")
def agent(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The TrafficPlan to follow.")],
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            metavar="NAME",
            help="Of the plan.",
            envvar="POD_NAMESPACE",
            show_default="that of the kubeconfig",
        ),
    ] = None,
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS", help="Where to serve.")
    ] = "0.0.0.0",  # noqa: S104 - a router serves its pod's own address
    drain: Annotated[
        str, typer.Option("--drain", metavar="TIME", help="How long clients get to leave.")
    ] = "5s",
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, help="Of Envoy.", show_default="one for each processor"),
    ] = None,
    envoy: Annotated[
        Path | None,
        typer.Option(
            "--envoy", metavar="FILE", help="Envoy's program.", show_default="that of the wheel"
        ),
    ] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            "--kubeconfig",
            metavar="FILE",
            help="The kubeconfig file; in a pod its own account is used.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Keep an Envoy that does what a TrafficPlan says: what a router's pod runs."""
    from serinus.api.text import parse_duration
    from serinus.cli.session import run_async
    from serinus.errors import UsageError
    from serinus.kube.config import load
    from serinus.router_agent.in_pod import PodSettings, serve

    try:
        drain_ms = parse_duration(drain)
    except ValueError as error:
        raise UsageError(f"--drain: {error}") from error
    connection = load(kubeconfig, None)
    settings = PodSettings(
        plan=plan,
        namespace=namespace or connection.namespace or "default",
        router=os.environ.get("POD_NAME") or socket.gethostname(),
        listen_host=listen,
        drain_ms=drain_ms,
        concurrency=threads or os.cpu_count() or 1,
        envoy=envoy,
        listens=os.environ.get("SERINUS_LISTEN", ""),
        declared=os.environ.get("ROUTER_PORTS", ""),
    )

    def say(text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    run_async(serve(connection, settings, say))


def remove(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The Deployment: NAME or deployment/NAME.")
    ],
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout", metavar="TIME", help="Give up waiting after it.", show_default=False
        ),
    ] = None,
    *,
    options: ClusterOptions,
) -> None:
    """Point the Service to its pods again, let clients leave the routers, and remove them."""
    from serinus.cli.operating import router_removal
    from serinus.cli.session import run_async

    run_async(router_removal.remove(name, options, limit=timeout))


app.command("remove", epilog="Example: serinus router remove shop")(with_cluster(remove))
