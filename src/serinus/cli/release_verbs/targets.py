"""Find the Deployment that a verb names, or say what is there in its place."""

from __future__ import annotations

import contextlib

from serinus import errors
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.errors import RefusedError
from serinus.kube import kinds
from serinus.traffic.plan import Manifest


async def deployment(cluster: KubernetesCluster, name: str) -> Manifest:
    """Return the Deployment of that name.

    Raises:
        RefusedError: it is not there; the message says what is.
    """
    found = await cluster.client.find(kinds.DEPLOYMENTS, name, cluster.namespace)
    if found is not None:
        return found
    for kind in (kinds.STATEFUL_SETS, kinds.DAEMON_SETS):
        # Who may not read another kind still hears that there is no Deployment.
        with contextlib.suppress(errors.ClusterError):
            if await cluster.client.find(kind, name, cluster.namespace) is not None:
                raise RefusedError(
                    "WrongKind", f"{name} is a {kind.kind}: only a Deployment can be released"
                )
    raise RefusedError(
        "DeploymentMissing",
        f"Deployment {name} is not there in namespace {cluster.namespace}; {await _there(cluster)}",
    )


async def _there(cluster: KubernetesCluster) -> str:
    snapshot = await cluster.everything()
    names = sorted(d["metadata"]["name"] for d in snapshot.deployments)
    if names:
        return f"there are: {', '.join(names)}"
    with contextlib.suppress(errors.ClusterError):
        if await cluster.client.find(kinds.NAMESPACES, cluster.namespace) is None:
            return "there is no such namespace"
    return "it has no Deployment"
