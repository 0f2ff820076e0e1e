"""What the operator makes of a release: who has the older right, what failed, when to look again.

Pure; the worker does what is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from serinus import errors
from serinus.api.codec import FINALIZER, Release
from serinus.clock import Instant
from serinus.controller.reconcile import Round
from serinus.errors import Retry
from serinus.release.conditions import with_trouble
from serinus.release.model import Phase
from serinus.traffic.plan import Manifest

RECHECK_MS = 30_000
"""How often to look at a release that is under way though nothing was heard."""
TWO_RELEASES = "TwoReleases"


class Trouble(msgspec.Struct, frozen=True):
    """What keeps a release from going on until somebody mends it."""

    reason: str
    message: str


def trouble_of(error: Exception, *, deleted: bool = False) -> Trouble | None:
    """Return what only a person can mend of a failure; None where trying again may do.

    What was deleted and cannot be read is not let go: nobody knows what to put back.
    """
    match error:
        case errors.NotFound() | errors.AlreadyExists():
            # The caches are a moment behind.
            return None
        case errors.ClusterError():
            if error.retry is not Retry.NEVER:
                return None
            return Trouble(error.reason, f"the API server refuses: {error}")
        case errors.InvariantViolation():
            words = f"frozen: serinus was about to do wrong ({error}); please report it"
            return Trouble("InvariantViolation", words)
        case errors.SerinusError():
            how = f"; deleted, it stays until this is mended or its finalizer {FINALIZER} is gone"
            return Trouble("Invalid", f"{error}{how if deleted else ''}")
        case _:
            return Trouble("Defect", f"{type(error).__name__}: {error}")


def rival_of(name: str, same_target: Iterable[Manifest]) -> str:
    """Return the older CanaryRelease among those of one Deployment, or nothing where it is ours."""
    ages = [(r["metadata"]["creationTimestamp"], r["metadata"]["name"]) for r in same_target]
    oldest = min(ages, default=("", name))[1]
    return "" if oldest == name else str(oldest)


def refused(release: Release, rival: str, now: Instant) -> Release | None:
    """Return a second release of a Deployment with the words that it is one; None if it has them.

    It never began, so its phase has nothing to say of what comes next.
    """
    message = (
        f"CanaryRelease {rival} is older and names Deployment {release.spec.target} too: "
        "delete one of them"
    )
    status = msgspec.structs.replace(release.status, phase=Phase.DEGRADED, message=message)
    if status == release.status:
        return None
    shown = with_trouble(release.outlook, TWO_RELEASES, message, now)
    return msgspec.structs.replace(release, status=status, outlook=shown)


def look_again_ms(done: Round, show_at: Instant | None, now: Instant) -> int | None:
    """Return after how long time itself matters; None where only a change of the world does."""
    wakes = [at for at in (done.decision.wake_at, show_at) if at is not None]
    if wakes:
        return min(max(0, min(wakes) - now), RECHECK_MS)
    return None if done.at_rest else RECHECK_MS
