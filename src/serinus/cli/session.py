"""From options to an open cluster, and from a coroutine to an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import typer

from serinus import errors
from serinus.cli.options import ClusterOptions
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.kube.client import Client
from serinus.kube.config import Connection, load

INTERRUPTED = 130
REACH_TIMEOUT_MS = 2_000
"""A server that is being restarted is back within this time."""


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
        caches = Caches(client, namespace)
        opening = asyncio.ensure_future(caches.__aenter__())
        try:
            await _reached(client)
            await opening
            yield KubernetesCluster(caches, namespace)
        finally:
            opening.cancel()
            await asyncio.wait([opening])
            await caches.close()


async def _reached(client: Client) -> None:
    """Wait for a first answer: who named a wrong cluster wants to hear so at once.

    Raises:
        Unavailable: there was none.
    """
    deadline = asyncio.get_running_loop().time() + REACH_TIMEOUT_MS / 1000
    while True:
        try:
            await client.version()
        except errors.Unavailable:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.2)
        except errors.ClusterError:
            # It is there and says no; whatever matters is asked for next.
            return
        else:
            return
