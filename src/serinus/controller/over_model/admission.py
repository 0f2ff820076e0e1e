"""What the hold policy makes of an update: the rule of its CEL, for a cluster that is the model."""

from __future__ import annotations

from typing import Any

from serinus.release.holding import HELD, MANAGED, OFF, OUR_MANAGER, RELEASE_LABEL, label_of
from serinus.traffic.plan import Manifest


def admitted(manager: str, old: Manifest, new: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored when `manager` turns `old` into `new` under the policy."""
    label = label_of(old)
    is_others = new["kind"] == "Deployment" and manager != OUR_MANAGER
    if not is_others or label not in (MANAGED, HELD) or label_of(new) == OFF:
        return new
    is_held = label == HELD or new["spec"]["template"] != old["spec"]["template"]
    meta = new["metadata"]
    labels = {**(meta.get("labels") or {}), RELEASE_LABEL: HELD if is_held else MANAGED}
    spec = {**new["spec"], "paused": True} if is_held else new["spec"]
    return {**new, "metadata": {**meta, "labels": labels}, "spec": spec}
