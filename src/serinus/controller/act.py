"""Send what was decided: in order, each at most once, and stop at the first that fails."""

from __future__ import annotations

from serinus.controller.ports import Cluster
from serinus.release.decision import Decision
from serinus.release.model import Spec
from serinus.release.observation import Objects
from serinus.release.render import writes
from serinus.traffic.write import Write


async def act(cluster: Cluster, spec: Spec, decision: Decision, objects: Objects) -> list[Write]:
    """Send the writes of a decision and return them.

    Raises:
        ClusterError: one was refused; those behind it were not sent.
    """
    sent = []
    for action in decision.actions:
        for write in writes(action, spec, objects):
            await cluster.send(write)
            sent.append(write)
    return sent
