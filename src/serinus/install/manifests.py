"""All that is installed, in the order in which it is applied."""

from __future__ import annotations

from serinus.install import crd, policy, roles, traffic_plans, workload
from serinus.install.settings import Hold, Manifest, Settings


def objects(settings: Settings) -> list[Manifest]:
    """Return the whole installation: what others stand on comes first."""
    made = [workload.namespace(settings)] if settings.controller else []
    made += [crd.definition(settings), traffic_plans.definition(settings)]
    if settings.hold is Hold.POLICY:
        made += policy.objects(settings)
    made += roles.objects(settings)
    if settings.controller:
        made += workload.objects(settings)
    return made
