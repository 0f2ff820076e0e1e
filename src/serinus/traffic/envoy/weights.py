"""The weights, as runtime keys in a file of their own: a new weight leaves the routes untouched."""

from __future__ import annotations

from serinus.assignment.intervals import TOTAL_BP, Version
from serinus.traffic.envoy import names
from serinus.traffic.envoy.messages import Json, message
from serinus.traffic.envoy.plan import RouterPlan

_RUNTIME = "envoy.service.runtime.v3.Runtime"


def layer(plan: RouterPlan, weight_bp: int) -> Json:
    """Return the runtime layer that gives the canary `weight_bp` on every port."""
    weights = {}
    for port in plan.ports:
        weights[names.canary_group(port.name)] = weight_bp
        weights[names.cluster(port.name, Version.STABLE)] = TOTAL_BP - weight_bp
    return message(_RUNTIME, name=names.WEIGHTS, layer={names.WEIGHTS: weights})
