"""Promotion: make the canary's revision the stable one, by adoption or by a rolling update."""

from __future__ import annotations

from serinus.release.decision import (
    DeleteCanary,
    DeleteReplicaSet,
    OrphanCanary,
    Reason,
    Resume,
    ScaleCanary,
)
from serinus.release.model import Phase, Promotion, Status
from serinus.release.observation import Target
from serinus.release.stages.draft import Draft
from serinus.release.stages.full_count import give_back, scale_stable
from serinus.release.stages.route import follow, rest_plan
from serinus.release.words import counted


def begin(draft: Draft) -> None:
    """Start to promote; how it ends is decided now and may only fall back to a rolling update."""
    how = draft.status.promotion or draft.obs.spec.promotion
    draft.set(
        phase=Phase.PROMOTING,
        promotion=how,
        weight_asked_bp=None,
        held_by_person=False,
        pause_until_ms=None,
    )
    draft.note(Reason.PROMOTING, f"promote by {how.value}")
    draft.wake(draft.now)


def why_not_adopt(draft: Draft, target: Target) -> str:
    """Return what makes an adoption unsafe for good, or nothing."""
    if draft.obs.broader:
        names = ", ".join(draft.obs.broader)
        return f"the selector of Deployment {names} matches the canary's pods too"
    if draft.canary.owner_uid != target.uid:
        return "the Deployment was created anew since the release began"
    return ""


def adopt(draft: Draft, n: int) -> None:
    """Hand the canary's pods over, once all is in place in one observation.

    The caller has seen the canary at full strength and the route in force.
    """
    obs, target, canary, pods = draft.obs, draft.target, draft.canary, draft.view.canary
    available = pods.available_count if pods else 0
    if _undo_window_open(draft):
        return
    if canary.replica_count != n:
        draft.act(ScaleCanary(replica_count=n))
        draft.wait(Reason.WAITING_FOR_PODS, f"canary scales to {counted(n, 'pod')}")
        return
    if available < n:
        draft.wait(Reason.WAITING_FOR_PODS, f"{available} of {n} pods are available")
        return
    if target.replica_count != n:
        scale_stable(draft, n)
        draft.wait(Reason.WAITING_FOR_PODS, f"{target.name} gets its {n} replicas back")
        return
    for twin in draft.view.twins:
        draft.act(DeleteReplicaSet(name=twin.name))
        draft.note(Reason.TWIN_DELETED, f"ReplicaSet {twin.name} is empty and has this template")
    own = [rs for rs in obs.owned_by(canary.uid) if not rs.deleting]
    in_place = (
        not draft.view.twins
        and len(own) == 1
        and own[0].template == target.template
        and own[0].wanted_count == n
        and own[0].desired_count == n
        and target.paused
        and target.observed_generation >= target.generation
    )
    if not in_place:
        draft.wait(Reason.WAITING_FOR_CLEANUP, "until the canary's ReplicaSet is the only one")
        return
    draft.act(OrphanCanary())
    draft.note(Reason.ADOPTING, f"{target.name} takes over {n} pods; no pod is started")
    draft.wait(Reason.WAITING_FOR_ADOPTION, f"until {target.name} owns ReplicaSet {own[0].name}")


def _undo_window_open(draft: Draft) -> bool:
    window_ms = draft.obs.spec.undo_window_ms
    if window_ms == 0 or draft.status.promote_full:
        return False
    until = draft.status.undo_until_ms or draft.now + window_ms
    draft.set(undo_until_ms=until)
    if draft.now >= until:
        return False
    draft.wake(until)
    draft.wait(Reason.WAITING_FOR_UNDO_WINDOW, "abort brings the old revision back at once")
    return True


def rolls_out(status: Status) -> bool:
    """Tell whether the Deployment is let go on purpose, though it may not have begun to roll."""
    return status.phase is Phase.PROMOTING and status.promotion is Promotion.ROLLING_UPDATE


def roll(draft: Draft) -> None:
    """Let the Deployment roll the template out itself, beside the canary that keeps its share."""
    if not draft.follow(follow(draft.obs, rest_plan(draft.obs), draft.now)):
        return
    if not give_back(draft):
        draft.wait(Reason.WAITING_FOR_PODS, f"{draft.target.name} gets its replicas back")
        return
    if draft.target.paused:
        draft.act(Resume())
        draft.note(
            Reason.ROLLING_UPDATE, "the Deployment rolls out while the canary keeps its share"
        )
    draft.wait(Reason.WAITING_FOR_ROLLOUT, "until the Deployment is complete")


def rolling(draft: Draft) -> None:
    """Wait for the Deployment's own rollout, then take the canary away."""
    obs, target = draft.obs, draft.target
    if draft.status.phase is not Phase.PROMOTING:
        draft.warn(Reason.BYPASSED, "the template rolls out outside the release: accepted")
    draft.set(phase=Phase.PROMOTING, promotion=Promotion.ROLLING_UPDATE)
    if not draft.follow(follow(obs, rest_plan(obs), draft.now)):
        return
    if not target.complete:
        if target.paused:
            draft.act(Resume())
        draft.wait(
            Reason.WAITING_FOR_ROLLOUT,
            f"{target.updated_count} of {target.replica_count} pods of {target.name} are updated",
        )
        return
    draft.act(DeleteCanary())


def adopting(draft: Draft) -> None:
    """Wait for the Deployment controller; nothing can be taken back now."""
    draft.set(phase=Phase.PROMOTING)
    draft.wait(Reason.WAITING_FOR_ADOPTION, "until the stable Deployment owns the canary's pods")
