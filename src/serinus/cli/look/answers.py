"""What `status`, `list` and `history` show; nothing here writes to the cluster."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer

from serinus.api import codec
from serinus.cli import output, skew
from serinus.cli.look import pair_picture, tables
from serinus.cli.look.tree import Branch, branch, to_text
from serinus.cli.options import ClusterOptions, Output
from serinus.cli.release_verbs import targets
from serinus.cli.release_verbs.commands import SETTLE_MS, plain_name
from serinus.cli.session import open_client, open_cluster
from serinus.controller import pair as pairs
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.kubernetes.presence import driver
from serinus.controller.kubernetes.records import listed
from serinus.controller.observe import observe
from serinus.errors import RefusedError
from serinus.kube import kinds
from serinus.process import SystemClock

REFRESH_MS = 1_000
DRIVER_CHECK_MS = 3_000
"""Leases are not watched: a driver that went away is noticed after this time."""


async def status(name: str, options: ClusterOptions, *, watch: bool, service: str | None) -> int:
    """Show one release or pair, once or until Ctrl-C."""
    name = plain_name(name)
    async with open_cluster(options) as cluster:
        if not watch:
            body, tree = await _look(cluster, name, service)
            output.write(options.output, body, to_text(tree), f"canaryrelease/{name}")
            return 0
        if sys.stdout.isatty() and "NO_COLOR" not in os.environ and options.output is Output.TEXT:
            await _watch_live(cluster, name, service)
        else:
            await _watch_lines(cluster, name, service, options)
    return 0


async def _watch_live(cluster: KubernetesCluster, name: str, service: str | None) -> None:
    from rich.live import Live
    from rich.text import Text
    from rich.tree import Tree

    # As Text: a step in brackets is no markup.
    def render(found: Branch) -> Tree:
        tree = Tree(Text(found.text), style=found.style)
        todo = [(tree, child) for child in found.children]
        while todo:
            parent, child = todo.pop(0)
            node = parent.add(Text(child.text), style=child.style or "default")
            todo.extend((node, below) for below in child.children)
        return tree

    _, first = await _look(cluster, name, service)
    with Live(render(first), refresh_per_second=10) as live:
        while True:
            await cluster.changes.wait(REFRESH_MS)
            _, found = await _look(cluster, name, service)
            live.update(render(found))


async def _watch_lines(
    cluster: KubernetesCluster, name: str, service: str | None, options: ClusterOptions
) -> None:
    """Print the whole picture again whenever it differs."""
    before, began_ms = "", SystemClock().now_ms()
    while True:
        count = cluster.changes.count
        body, tree = await _look(cluster, name, service)
        # Ages are no changes: what is compared is the picture as of the beginning.
        _, undated = await _look(cluster, name, service, as_of=began_ms)
        text_only = options.output is Output.TEXT
        key = to_text(undated) if text_only else output.to_json(body)
        if key != before:
            output.write(options.output, body, to_text(tree), f"canaryrelease/{name}")
            sys.stdout.flush()
        before = key
        await cluster.changes.wait(DRIVER_CHECK_MS, since_count=count)


async def _look(
    cluster: KubernetesCluster, name: str, service: str | None, *, as_of: int | None = None
) -> tuple[dict[str, Any], Branch]:
    now = SystemClock().now_ms() if as_of is None else as_of
    stored = await cluster.load(name)
    if stored is None:
        await targets.deployment(cluster, name)
        snapshot = await cluster.everything()
        pair = pairs.find_pair(snapshot, name, service)
        obs = await pairs.observe_pair(cluster, pair, settle_ms=SETTLE_MS)
        return pair_picture.body(cluster.namespace, pair, obs), pair_picture.picture(pair, obs)
    seen = observe(stored.release, await cluster.read(stored.release.spec)).observation
    body = codec.encode(stored.release)
    drives = await driver(cluster, name, SystemClock().now_ms(), at_rest=seen.status.phase.at_rest)
    skew.warn(drives)
    return body, branch(seen, drives.words, now)


async def list_releases(
    options: ClusterOptions, *, all_namespaces: bool, selector: str | None
) -> int:
    """List the records of releases."""
    async with open_client(options) as client:
        namespace = None if all_namespaces else client.connection.namespace
        releases = await listed(client, namespace)
        if selector is not None:
            targets = await client.list(kinds.DEPLOYMENTS, namespace, label_selector=selector)
            names = {(t["metadata"]["namespace"], t["metadata"]["name"]) for t in targets.items}
            releases = [r for r in releases if (r.namespace, r.spec.target) in names]
    if not releases and options.output is Output.TEXT:
        where = "any namespace" if all_namespaces else f"namespace {namespace}"
        typer.echo(f"no releases in {where}", err=True)
        return 0
    tables.listed(releases, SystemClock().now_ms(), with_namespace=all_namespaces).write(
        options.output
    )
    return 0


async def history(name: str, options: ClusterOptions) -> int:
    """Show how the last releases of one Deployment ended."""
    name = plain_name(name)
    async with open_client(options) as client:
        namespace = client.connection.namespace
        found = next((r for r in await listed(client, namespace) if r.name == name), None)
    if found is None:
        raise RefusedError("NoRelease", f"there was no release of {name} in namespace {namespace}")
    tables.ended(found).write(options.output)
    return 0
