"""How `serinus release` goes: check, record, hold, set the template, and drive."""

from __future__ import annotations

import msgspec

from serinus import errors
from serinus.api.codec import Release
from serinus.cli.options import ClusterOptions, DryRun
from serinus.cli.release_verbs import commands, targets, wishes
from serinus.cli.release_verbs.rehearsing import rehearse_release
from serinus.cli.report import Lines
from serinus.cli.session import open_cluster
from serinus.controller import pair as pairs
from serinus.controller import run, start
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.observe import observe
from serinus.controller.reconcile import Round
from serinus.errors import RefusedError, UsageError
from serinus.kube.lease import Lease
from serinus.process import SystemClock
from serinus.release.model import Spec
from serinus.release.stages.stage import Stage, view


async def release(
    wish: wishes.Wish,
    options: ClusterOptions,
    *,
    wait: bool,
    limit: str | None,
    dry_run: DryRun,
) -> int:
    """Run a release until it ends or waits for a person; return the exit code."""
    name = commands.plain_name(wish.name)
    # Bad input is refused before anything is asked of the cluster.
    filed = wishes.from_file(wish, name)
    wishes.overrule(Spec(target=name, service=""), wish)
    images = start.parse_images(list(wish.images))
    async with open_cluster(options) as cluster, commands.time_limit(limit):
        commands.say_where(cluster, name, "release")
        spec = await spec_of(cluster, name, wish, filed)
        lines = Lines(name)
        if options.verbose:
            cluster.own.on_write = lines.write
        release = Release(name, cluster.namespace, spec)
        seen = await start.check(cluster, release)
        for finding in seen.observation.findings:
            lines.say(f"! {finding.reason}: {finding.message}")
        target = seen.objects.target
        write = None if target is None else start.image_write(target, images)
        if dry_run is not DryRun.NONE:
            await rehearse_release(cluster, seen, release, images, dry_run)
            return 0
        # Before the Lease is taken: what is refused leaves nothing behind.
        await start.refuse_other(cluster, name, spec)
        async with run.driving(cluster, name, SystemClock()) as lease:
            await start.record(cluster, name, spec)
            if write is not None:
                await _set_images(cluster, name, images, lease, lines)
            return await _drive(cluster, name, lease, lines, wait=wait)


async def spec_of(
    cluster: KubernetesCluster, name: str, wish: wishes.Wish, filed: Spec | None
) -> Spec:
    """Return what is asked for, the Service found and the steps known."""
    snapshot = await cluster.everything()
    deployment = await targets.deployment(cluster, name)
    stored = await cluster.load(name)
    before = filed or (None if stored is None else stored.release.spec)
    wanted = wish.service or (None if before is None else before.service)
    service = pairs.find_service(snapshot, deployment, wanted)
    base = before or Spec(target=name, service=service)
    spec = wishes.overrule(base, wish)
    if spec.service != service:
        spec = msgspec.structs.replace(spec, service=service)
    if not spec.steps:
        raise UsageError("say how to go: --steps 5,pause:10m,25,pause or --weight 25")
    return spec


async def _set_images(
    cluster: KubernetesCluster, name: str, images: dict[str, str], lease: Lease, lines: Lines
) -> None:
    """Hold the Deployment, then set what is on trial; nothing rolls out in between."""
    held = await run.drive(
        cluster,
        name,
        lease=lease,
        clock=SystemClock(),
        until=lambda done: _may_set_template(done) or commands.rests(done, wait=False),
        on_round=lines.round,
        on_trouble=lines.trouble,
    )
    if not _may_set_template(held):
        raise RefusedError(
            "NotAtRest",
            f"the Deployment is not ready for a release: {commands.summary(name, held)}",
        )
    while True:
        target = (await cluster.read(held.observation.spec)).target
        write = None if target is None else start.image_write(target, images)
        if write is None:
            return
        try:
            await cluster.send(write)
        except errors.Conflict:
            continue
        lines.say(write.why)
        return


def _may_set_template(done: Round) -> bool:
    target = done.observation.target
    stage = view(done.observation).stage
    return (
        target is not None
        and target.paused
        and not done.decision.actions
        and (stage is Stage.GIVEN_UP or (stage is Stage.LANDED and done.at_rest))
    )


async def _drive(
    cluster: KubernetesCluster, name: str, lease: Lease, lines: Lines, *, wait: bool
) -> int:
    stored = await cluster.load(name)
    if stored is not None:
        seen = observe(stored.release, await cluster.read(stored.release.spec))
        found = view(seen.observation)
        target = seen.observation.target
        if found.stage is Stage.GIVEN_UP:
            raise RefusedError(
                "Aborted",
                f"this template was aborted ({stored.release.status.message}): serinus retry "
                f"{name} tries it again",
            )
        if found.stage is Stage.LANDED and target is not None and target.complete and target.paused:
            lines.say(f"nothing to release: {name} runs its template already")
    last = await run.drive(
        cluster,
        name,
        lease=lease,
        clock=SystemClock(),
        until=lambda done: commands.rests(done, wait=wait),
        on_round=lines.round,
        on_trouble=lines.trouble,
    )
    return commands.result(name, last, None, lines)
