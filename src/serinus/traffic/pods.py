"""What routers ask of pods and endpoints."""

from __future__ import annotations

from serinus.traffic.plan import Manifest

HASH_LABEL = "pod-template-hash"


def hash_of(pod: Manifest) -> str:
    """Return the revision of a pod."""
    found: str = (pod["metadata"].get("labels") or {}).get(HASH_LABEL, "")
    return found


def is_ready(pod: Manifest) -> bool:
    """Tell whether a pod is ready and has not been told to stop."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def endpoint_is_ready(endpoint: Manifest) -> bool:
    """Tell whether an endpoint serves; without the condition it counts as ready (discovery/v1)."""
    return (endpoint.get("conditions") or {}).get("ready") is not False
