"""From options to an open cluster, and from a coroutine to an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import typer

from serinus.cli.options import ClusterOptions
from serinus.controller.cluster import KubernetesCluster
from serinus.kube.client import Client
from serinus.kube.config import Connection, load

INTERRUPTED = 130


def run_async(work: Coroutine[Any, Any, int | None], *, leaving: str = "") -> None:
    """Run a verb to its end and exit with its code; Ctrl-C exits with 130 and says `leaving`."""
    try:
        code = asyncio.run(work)
    except KeyboardInterrupt:
        if leaving:
            typer.echo(f"interrupted: {leaving}", err=True)
        sys.exit(INTERRUPTED)
    if code:
        raise typer.Exit(code)


def connect(options: ClusterOptions) -> Connection:
    """Return the connection that the options name."""
    return load(
        options.kubeconfig,
        options.context,
        namespace=options.namespace,
        as_user=options.as_user,
        request_timeout_ms=options.request_timeout_ms,
    )


@contextlib.asynccontextmanager
async def open_client(options: ClusterOptions) -> AsyncIterator[Client]:
    """Open a client; warnings of the API server go to stderr."""
    async with Client(
        connect(options), on_warning=lambda text: typer.echo(f"warning: {text}", err=True)
    ) as client:
        yield client


@contextlib.asynccontextmanager
async def open_cluster(options: ClusterOptions) -> AsyncIterator[KubernetesCluster]:
    """Open the namespace that the options name."""
    async with open_client(options) as client:
        namespace = client.connection.namespace or "default"
        async with KubernetesCluster(client, namespace) as cluster:
            yield cluster
