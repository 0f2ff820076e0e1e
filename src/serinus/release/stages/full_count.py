"""N in Constant mode, where we hold stable below what its owner wishes, and its way back."""

from __future__ import annotations

from serinus.release.decision import Reason, ScaleStable
from serinus.release.model import Status
from serinus.release.observation import ReplicaSet, Target
from serinus.release.stages.draft import Draft
from serinus.release.words import counted


def full_count(status: Status, target: Target) -> int:
    """Return N: the user's wish, also while we hold stable below it (Constant mode)."""
    if status.target_uid not in ("", target.uid):
        return target.replica_count
    ours = (
        status.stable_replica_count,
        # Asked for, and refused or not sent: the crash came in between.
        status.stable_previous_count,
        status.full_replica_count,
    )
    if status.full_replica_count is None or target.replica_count not in ours:
        return target.replica_count
    return status.full_replica_count


def scale_stable(draft: Draft, replica_count: int) -> None:
    """Scale the user's Deployment and remember that it was us."""
    target = draft.target
    draft.set(
        full_replica_count=full_count(draft.status, target),
        stable_replica_count=replica_count,
        stable_previous_count=target.replica_count,
    )
    draft.act(ScaleStable(replica_count=replica_count))


def give_back(draft: Draft) -> bool:
    """Give the Deployment its N again; return whether it has it."""
    target = draft.target
    n = full_count(draft.status, target)
    if target.replica_count >= n:
        return True
    scale_stable(draft, n)
    draft.note(Reason.STABLE_SCALED, f"stable back to {counted(n, 'pod')}")
    return False


def staying_count(stable: ReplicaSet, target: Target) -> int:
    """Return how many stable pods are available and will not be taken away for want of replicas."""
    return min(stable.available_count, stable.wanted_count, target.replica_count)


def arrived(draft: Draft) -> None:
    """Forget the count before once the one asked for is seen: from now on it is a person's."""
    status, target = draft.status, draft.obs.target
    if target is not None and target.replica_count == status.stable_replica_count:
        draft.set(stable_previous_count=status.stable_replica_count)
