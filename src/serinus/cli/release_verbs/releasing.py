"""How `serinus release` goes: check, record, hold, set the template, and drive."""

from __future__ import annotations

import msgspec

from serinus import errors
from serinus.api.codec import Release
from serinus.cli.options import ClusterOptions, DryRun
from serinus.cli.release_verbs import commands, targets, wishes
from serinus.cli.release_verbs.rehearsing import rehearse_release
from serinus.cli.release_verbs.steering import steering
from serinus.cli.report import Lines
from serinus.cli.session import open_cluster
from serinus.controller import pair as pairs
from serinus.controller import start
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.observe import observe
from serinus.controller.reconcile import Round
from serinus.errors import RefusedError, UsageError
from serinus.release.model import Spec
from serinus.release.stages.hold import would_hold
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
        write = None if target is None else start.image_write(target, images, seen.objects.hold_by)
        if dry_run is not DryRun.NONE:
            await rehearse_release(cluster, seen, release, images, dry_run)
            return 0
        # Before the Lease is taken: what is refused leaves nothing behind.
        await start.refuse_other(cluster, name, spec)
        async with steering(cluster, name, lines) as go:
            await start.record(cluster, name, spec)
            if write is not None:
                held = await go(
                    lambda done: _may_set_template(done) or commands.rests(done, wait=False)
                )
                await _set_images(cluster, name, images, held, lines)
            await _say_where_it_stands(cluster, name, lines)
            last = await go(lambda done: commands.rests(done, wait=wait))
            return commands.result(name, last, None, lines)


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
    cluster: KubernetesCluster, name: str, images: dict[str, str], held: Round, lines: Lines
) -> None:
    """Set what is on trial on a Deployment that is held; nothing rolls out in between."""
    if not _may_set_template(held):
        where = commands.summary(name, held.decision.status)
        raise RefusedError("NotAtRest", f"the Deployment is not ready for a release: {where}")
    while True:
        seen = await cluster.read(held.observation.spec)
        write = (
            None if seen.target is None else start.image_write(seen.target, images, seen.hold_by)
        )
        if write is None:
            return
        try:
            await cluster.send(write)
        except errors.Conflict:
            continue
        lines.say(write.why)
        return


def _may_set_template(done: Round) -> bool:
    obs, stage = done.observation, view(done.observation).stage
    if obs.target is None or done.decision.actions:
        return False
    if stage is Stage.GIVEN_UP:
        return obs.target.paused
    return stage is Stage.LANDED and done.at_rest and would_hold(obs)


async def _say_where_it_stands(cluster: KubernetesCluster, name: str, lines: Lines) -> None:
    """Say that there is nothing to release, or refuse what was given up."""
    stored = await cluster.load(name)
    if stored is None:
        return
    seen = observe(stored.release, await cluster.read(stored.release.spec)).observation
    found = view(seen)
    if found.stage is Stage.GIVEN_UP:
        raise RefusedError(
            "Aborted",
            f"this template was aborted ({stored.release.status.message}): serinus retry "
            f"{name} tries it again",
        )
    complete = seen.target is not None and seen.target.complete
    if found.stage is Stage.LANDED and complete and would_hold(seen):
        lines.say(f"nothing to release: {name} runs its template already")
