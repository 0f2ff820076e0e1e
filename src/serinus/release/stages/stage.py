r"""Where a release stands, read from the cluster alone (and from which revision was given up).

Healthy · LetOut · Start -> Trial -> Adopting -> Landing -> Healthy
                             \-> Rolling -----------/
                              \-> Abort | Back | Retarget (the canary goes)
"""

from __future__ import annotations

import enum

import msgspec

from serinus.release.model import Phase, Status
from serinus.release.observation import Observation, ReplicaSet, Target


class Stage(enum.Enum):
    """What the world looks like."""

    MISSING = "the Deployment is gone"
    LANDED = "the template runs, and no canary is there"
    ROLLING = "the Deployment rolls the template out itself beside the canary"
    BACK = "the template was set back to the running one"
    ADOPTING = "the canary's pods are on their way to the stable Deployment"
    LET_OUT = "nothing serves that could be protected"
    MIXED = "several revisions run and none is the template"
    GIVEN_UP = "this template was aborted"
    RETARGET = "the template changed while another was on trial"
    START = "a template waits for its trial"
    TRIAL = "the canary runs the template"


class View(msgspec.Struct, frozen=True):
    """The stage and the ReplicaSets that play a part in it."""

    stage: Stage
    stable: ReplicaSet | None = None
    landed: ReplicaSet | None = None
    canary: ReplicaSet | None = None
    twins: tuple[ReplicaSet, ...] = ()


def is_same_target(status: Status, target: Target) -> bool:
    """Tell whether the template is still the one that `status` speaks of.

    The generation decides where the fingerprint cannot: an upgraded API server may return the same
    stored template with a new default in it.
    """
    is_same_object = status.target_uid in ("", target.uid)
    return bool(status.revision) and (
        status.revision == target.template
        or (is_same_object and status.generation == target.generation)
    )


def is_behind(obs: Observation) -> bool:
    """Tell whether the Deployment is seen as it was before the status was written.

    Another driver knew it better: a standby whose watch lags must not decide on what it shows.
    """
    target, status = obs.target, obs.status
    return (
        target is not None
        and target.uid == status.target_uid
        and target.generation < status.generation
    )


def view(obs: Observation) -> View:
    """Return where the release stands."""
    target = obs.target
    if target is None or target.deleting:
        return View(Stage.MISSING)
    own = [rs for rs in obs.owned_by(target.uid) if not rs.deleting]
    equal = [rs for rs in own if rs.template == target.template]
    running = [rs for rs in own if rs.wanted_count > 0 or rs.standing_count > 0]
    landed = _landed(target, own, equal)
    canary = _canary_set(obs)
    has_canary = obs.canary is not None and not obs.canary.deleting
    if landed is not None:
        if not has_canary:
            return View(Stage.LANDED, stable=landed, landed=landed)
        if obs.canary is not None and obs.canary.template == target.template:
            old = [rs for rs in running if rs is not landed]
            before = _stable(obs.status, old) or landed
            return View(Stage.ROLLING, stable=before, landed=landed, canary=canary)
        return View(Stage.BACK, stable=landed, landed=landed, canary=canary)
    # At N = 0 nothing runs; what an abort protects is then the revision that would.
    others = [rs for rs in own if rs.template != target.template]
    stable = _stable(obs.status, running or (others if target.replica_count == 0 else []))
    return View(_unlanded(obs, target, running, stable), stable, None, canary, tuple(equal))


def _landed(target: Target, own: list[ReplicaSet], equal: list[ReplicaSet]) -> ReplicaSet | None:
    """Return the target's ReplicaSet that runs the template; at N = 0 the newest may be it."""
    active = [rs for rs in equal if rs.wanted_count > 0 or rs.standing_count > 0]
    if active:
        return max(active, key=lambda rs: (rs.wanted_count, rs.number))
    if target.replica_count == 0 and own:
        newest = max(own, key=lambda rs: rs.number)
        return newest if newest.template == target.template else None
    return None


def _unlanded(
    obs: Observation, target: Target, running: list[ReplicaSet], stable: ReplicaSet | None
) -> Stage:
    has_canary = obs.canary is not None and not obs.canary.deleting
    if _is_adopting(obs, target):
        return Stage.ADOPTING
    given_up = obs.status.phase in (Phase.ABORTING, Phase.ABORTED)
    if stable is None and target.replica_count > 0:
        return Stage.LET_OUT
    if len(running) > 1 and not has_canary:
        return Stage.MIXED
    if given_up and is_same_target(obs.status, target):
        return Stage.GIVEN_UP
    if stable is None or target.replica_count == 0:
        return Stage.LET_OUT
    if has_canary and obs.canary is not None:
        return Stage.TRIAL if obs.canary.template == target.template else Stage.RETARGET
    if stable.available_count == 0 or stable.restart_template == target.restart_template:
        return Stage.LET_OUT
    return Stage.START


def _is_adopting(obs: Observation, target: Target) -> bool:
    if obs.canary is not None and obs.canary.deleting:
        return obs.canary.orphaning
    return any(
        rs.owner_uid == "" and rs.template == target.template and rs.standing_count > 0
        for rs in obs.replica_sets
    )


def _canary_set(obs: Observation) -> ReplicaSet | None:
    """Return the canary's ReplicaSet of its present template."""
    if obs.canary is None:
        return None
    sets = [rs for rs in obs.owned_by(obs.canary.uid) if rs.template == obs.canary.template]
    return max(sets, key=lambda rs: (rs.wanted_count, rs.name)) if sets else None


def _stable(status: Status, running: list[ReplicaSet]) -> ReplicaSet | None:
    """Return the revision to protect: the remembered one if it runs, else what serves most."""
    if not running:
        return None
    return max(
        running,
        key=lambda rs: (
            status.phase is Phase.PROMOTING and rs.template == status.revision,
            rs.hash == status.stable_hash,
            rs.available_count,
            rs.number,
        ),
    )
