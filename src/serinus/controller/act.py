"""Send what was decided: in order, each at most once, and stop at the first that fails."""

from __future__ import annotations

from serinus.controller.ports import Cluster
from serinus.errors import Conflict, Invalid
from serinus.release.decision import Decision
from serinus.release.model import Spec
from serinus.release.observation import Objects
from serinus.release.render import writes
from serinus.traffic.write import Verb, Write


async def act(cluster: Cluster, spec: Spec, decision: Decision, objects: Objects) -> list[Write]:
    """Send the writes of a decision and return them.

    Raises:
        Conflict: an object changed since it was read.
        ClusterError: one was refused; those behind it were not sent.
    """
    sent = []
    for action in decision.actions:
        for write in writes(action, spec, objects):
            await _send(cluster, write)
            sent.append(write)
    return sent


async def _send(cluster: Cluster, write: Write) -> None:
    try:
        await cluster.send(write)
    except Invalid as error:
        # How the API server says that a `test` of a JSON patch failed: NewGenericServerResponse in
        # staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go, Kubernetes 1.36.
        if write.verb is Verb.JSON and "error in our request" in str(error):
            raise Conflict(f"{write.target} changed since it was read") from error
        raise
