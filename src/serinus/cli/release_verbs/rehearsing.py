"""`--dry-run`: print the first writes of a verb, and let the API server check them if asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import typer

from serinus.api.codec import Release
from serinus.cli.options import DryRun
from serinus.controller import run, start
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.observe import Observed
from serinus.release.model import Command
from serinus.traffic.write import Write


async def rehearse(cluster: KubernetesCluster, writes: Sequence[Write], how: DryRun) -> None:
    """Print writes that are not made.

    Raises:
        ClusterError: the API server would refuse one of them.
    """
    for write in writes:
        if how is DryRun.SERVER:
            await cluster.rehearse(write)
        _print(f"{write.verb.value} {write.target}: {write.why}", how)


async def rehearse_command(
    cluster: KubernetesCluster, name: str, command: Command, how: DryRun
) -> None:
    """Print that a command would be written into the record of a release."""
    if how is DryRun.SERVER:
        await run.give(cluster, name, command, dry_run=True)
    full = " --full" if command.full else ""
    _print(f"give the command {command.verb.value}{full} to the release of {name}", how)


async def rehearse_release(
    cluster: KubernetesCluster,
    seen: Observed,
    release: Release,
    images: Mapping[str, str],
    how: DryRun,
) -> None:
    """Print the hold, the images and the canary of a release.

    The canary gets the template as the server would store it, so that its admission rules and
    quotas have their say before anything is changed.
    """
    server = how is DryRun.SERVER
    if server and await cluster.load(release.name) is None:
        await cluster.records.create(release, dry_run=True)
    _print(f"record the release of {release.name} ({len(release.spec.steps)} steps)", how)
    target = seen.objects.target
    if target is None:
        return
    hold = start.hold_write(seen, release.spec)
    write = start.image_write(target, images)
    for each in (*hold, *(() if write is None else (write,))):
        if server:
            target = await cluster.rehearse(each) or target
        _print(f"{each.verb.value} {each.target}: {each.why}", how)
    if write is None and not start.waits_for_trial(seen):
        return
    await rehearse(cluster, start.canary_writes(seen, release.spec, target), how)


def _print(text: str, how: DryRun) -> None:
    typer.echo(f"{text} ({how.value} dry run)")
