"""What is done to a managed Deployment at rest: restart its pods, or let it go."""

from __future__ import annotations

from serinus import errors
from serinus.clock import Instant
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.observe import observe
from serinus.controller.ports import Stored
from serinus.errors import RefusedError
from serinus.kube import timestamps
from serinus.release.revision import RESTARTED_AT
from serinus.release.stages.stage import Stage, view
from serinus.traffic.plan import Manifest
from serinus.traffic.replica_ratio import ReplicaRatio
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


async def leave(cluster: KubernetesCluster, stored: Stored) -> None:
    """Lift the hold and open the Service: what is left is what the owner wrote.

    Raises:
        RefusedError: a template is held that would roll out at once.
    """
    target = await _at_rest(cluster, stored)
    seen = await cluster.read(stored.release.spec)
    observed = observe(stored.release, seen)
    for write in ReplicaRatio().restore(observed.objects.live):
        await cluster.send(write)
    meta = target["metadata"]
    identity = {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": identity}
    # Owning no field any more takes `paused` away, unless somebody else set it too.
    try:
        await cluster.send(
            Write(verb=Verb.APPLY, target=_ref(target), why="let the Deployment go", body=body)
        )
    except errors.Conflict as error:
        raise RefusedError("Changed", "the Deployment changed meanwhile; try again") from error
