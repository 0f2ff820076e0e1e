"""What is done to a managed Deployment at rest: restart its pods, or let it go."""

from __future__ import annotations

from serinus.clock import Instant
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.observe import observe
from serinus.controller.ports import Stored
from serinus.errors import RefusedError
from serinus.kube import timestamps
from serinus.release.revision import RESTARTED_AT
from serinus.release.stages.stage import Stage, view
from serinus.traffic.plan import Manifest
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
