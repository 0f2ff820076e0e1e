"""The verb `controller`: the operator's own process, as its Deployment starts it."""

from __future__ import annotations

import enum
import os
import socket
from pathlib import Path
from typing import Annotated

import typer

PANEL = "Operator"


class LogFormat(enum.StrEnum):
    """How log lines are written to stderr."""

    JSON = "json"
    TEXT = "text"


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "controller",
        rich_help_panel=PANEL,
        epilog="Example: serinus controller --watch-namespace shop --log-format text",
    )(controller)


def controller(
    watch_namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--watch-namespace",
            metavar="NAME",
            help="Only releases in this namespace; may be given several times.",
            show_default="all of them",
        ),
    ] = None,
    lease_namespace: Annotated[
        str | None,
        typer.Option(
            "--lease-namespace",
            metavar="NAME",
            help="Where the leader's Lease is kept.",
            envvar="POD_NAMESPACE",
            show_default="that of the kubeconfig",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where health and metrics listen.")
    ] = "0.0.0.0",  # noqa: S104 - the kubelet and Prometheus ask from other addresses
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Of /healthz, /readyz and /metrics.")
    ] = 8080,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="How many releases at a time.")
    ] = 4,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="How log lines look.")
    ] = LogFormat.JSON,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log every write as it is made.")
    ] = False,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            "--kubeconfig",
            metavar="FILE",
            help="The kubeconfig file; in a pod its own account is used.",
            show_default=False,
        ),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(
            "--context", metavar="NAME", help="The kubeconfig's context.", show_default=False
        ),
    ] = None,
) -> None:
    """Drive the releases of a cluster: what the operator's Deployment runs."""
    from serinus.cli.session import run_async
    from serinus.controller.operator import logging
    from serinus.controller.operator.run import OperatorOptions, operate
    from serinus.kube.config import load
    from serinus.process import SystemClock

    logging.configure(as_json=log_format is LogFormat.JSON, verbose=verbose)
    connection = load(kubeconfig, context)
    options = OperatorOptions(
        identity=os.environ.get("POD_NAME") or socket.gethostname(),
        lease_namespace=lease_namespace or connection.namespace or "default",
        watch_namespaces=tuple(dict.fromkeys(watch_namespace or ())),
        host=host,
        port=port,
        worker_count=workers,
    )
    run_async(operate(connection, options, SystemClock()))
