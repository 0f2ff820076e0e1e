"""What is done to a managed Deployment at rest: restart its pods, take routers out, let it go."""

from __future__ import annotations

import msgspec

from serinus.clock import Instant
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.observe import observe
from serinus.controller.ports import Stored
from serinus.errors import RefusedError
from serinus.kube import timestamps
from serinus.release.observation import Observation
from serinus.release.revision import RESTARTED_AT
from serinus.release.stages.stage import Stage, view
from serinus.traffic.envoy.in_cluster.options import Keep
from serinus.traffic.plan import Manifest, RouteState, TrafficPlan
from serinus.traffic.write import ObjectRef, Verb, Write


async def _at_rest(cluster: KubernetesCluster, stored: Stored) -> Manifest:
    seen = observe(stored.release, await cluster.read(stored.release.spec))
    if seen.objects.target is None:
        raise RefusedError(
            "DeploymentMissing", f"Deployment {stored.release.spec.target} is not there"
        )
    if view(seen.observation).stage is not Stage.LANDED:
        raise RefusedError(
            "ReleaseRuns",
            f"the template of {stored.release.name} is not the one that runs: promote it, or abort "
            "and undo it first",
        )
    return seen.objects.target


def _ref(target: Manifest) -> ObjectRef:
    return ObjectRef(
        "apps/v1", "Deployment", target["metadata"]["namespace"], target["metadata"]["name"]
    )


async def mark_restart(cluster: KubernetesCluster, stored: Stored, now: Instant) -> None:
    """Set the mark that `kubectl rollout restart` sets; the release core lets it out at once."""
    target = await _at_rest(cluster, stored)
    await cluster.send(
        Write(
            verb=Verb.MERGE,
            target=_ref(target),
            why="restart every pod",
            body={
                "metadata": {"resourceVersion": target["metadata"]["resourceVersion"]},
                "spec": {
                    "template": {
                        "metadata": {"annotations": {RESTARTED_AT: timestamps.format_seconds(now)}}
                    }
                },
            },
        )
    )


async def check_leave(cluster: KubernetesCluster, stored: Stored) -> None:
    """Do nothing where a Deployment can be let go as it is.

    Raises:
        RefusedError: a template is held that nobody has promoted.
    """
    await _at_rest(cluster, stored)


async def check_router_goes(cluster: KubernetesCluster, name: str) -> None:
    """Do nothing where no release needs the routers.

    Raises:
        RefusedError: there is no record, no router, or a release is under way.
    """
    stored = await cluster.load(name)
    if stored is None:
        raise RefusedError("NoRelease", f"there is no release of {name}, and so no router of ours")
    spec = stored.release.spec
    if not spec.routed_by.capabilities.stands_in_front:
        raise RefusedError("NoRouter", f"{name} is split by {spec.router}: no router stands there")
    seen = observe(stored.release, await cluster.read(spec)).observation
    if view(seen).stage not in (Stage.LANDED, Stage.GIVEN_UP, Stage.MISSING):
        raise RefusedError(
            "ReleaseRuns",
            f"a release of {name} is under way: serinus promote {name} or serinus abort {name} "
            "first",
        )


async def let_router_go(cluster: KubernetesCluster, name: str) -> None:
    """Write that routers are not kept between releases; whoever drives then takes them out."""
    stored = await cluster.load(name)
    options = None if stored is None else stored.release.spec.router_options
    if stored is None or options is None or options.keep is not Keep.ALWAYS:
        return
    wanted = msgspec.structs.replace(options, keep=Keep.DURING_RELEASES)
    spec = msgspec.structs.replace(stored.release.spec, router_options=wanted)
    release = msgspec.structs.replace(stored.release, spec=spec)
    await cluster.records.wish(Stored(release, stored.version))


def is_without_router(obs: Observation) -> bool:
    """Tell whether the Service leads to its pods, and nothing of routers is left."""
    report = obs.spec.routed_by.report(TrafficPlan.at_rest(), obs.live)
    return report.state is RouteState.SHOWN and not obs.live.parts.objects
