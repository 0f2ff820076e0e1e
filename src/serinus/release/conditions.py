"""What a release shows to people and tools beside what it remembers: conditions, and who gets what.

All of it follows from one observation and its decision; only since when a condition holds is kept.
"""

from __future__ import annotations

import msgspec

from serinus.clock import Instant
from serinus.release.decision import Decision
from serinus.release.model import Phase
from serinus.release.observation import Observation

READY, PROGRESSING, DEGRADED = "Ready", "Progressing", "Degraded"
MESSAGE_LENGTH_MAX = 1_024


class Condition(msgspec.Struct, frozen=True):
    """One statement, whether it holds, why, and since when."""

    type: str
    status: bool
    reason: str
    message: str = ""
    generation: int = 0
    since_ms: Instant = 0


class Outlook(msgspec.Struct, frozen=True):
    """The spec that was looked at, the share in force, and the conditions."""

    generation: int = 0
    in_force_weight_bp: int = 0
    conditions: tuple[Condition, ...] = ()


def outlook(
    obs: Observation, decision: Decision, before: Outlook, *, generation: int, now: Instant
) -> Outlook:
    """Return what to show of a decision.

    `Ready`: the Deployment's template is what users get. `Progressing`: a release is on its way.
    `Degraded`: it cannot go on by itself. Each finding about the cluster is a condition too, of its
    own type, for as long as it is true.
    """
    phase = decision.status.phase
    waiting = decision.status.waiting
    words = decision.status.message or ("" if waiting is None else waiting.message)
    under_way = not phase.at_rest
    found = [
        Condition(READY, phase is Phase.HEALTHY, phase.value, words),
        Condition(PROGRESSING, under_way, waiting.reason if waiting else phase.value, words),
        Condition(DEGRADED, phase is Phase.DEGRADED, phase.value, words),
    ]
    for reason in dict.fromkeys(f.reason for f in obs.findings):
        messages = "; ".join(f.message for f in obs.findings if f.reason == reason)
        blocking = any(f.blocking for f in obs.findings if f.reason == reason)
        word = "Refused" if blocking else "Noted"
        found.append(Condition(reason, status=True, reason=word, message=messages))
    earlier = {c.type: c for c in before.conditions}
    return Outlook(
        generation=generation,
        in_force_weight_bp=in_force_weight(obs),
        conditions=tuple(_dated(c, earlier.get(c.type), generation, now) for c in found),
    )


def with_trouble(before: Outlook, reason: str, message: str, now: Instant) -> Outlook:
    """Return what to show of a release that cannot go on; its phase stays what it was.

    The phase says what to do next, so it must outlive what a person has to mend.
    """
    trouble = Condition(DEGRADED, status=True, reason=reason, message=message)
    earlier = {c.type: c for c in before.conditions}
    dated = _dated(trouble, earlier.get(DEGRADED), before.generation, now)
    kept = [c for c in before.conditions if c.type != DEGRADED]
    return msgspec.structs.replace(before, conditions=(*kept, dated))


def in_force_weight(obs: Observation) -> int:
    """Return the share of new connections that the canary gets by now, in basis points."""
    canary = None if obs.canary is None else _hash_of(obs)
    if canary is None or obs.live.service is None:
        return 0
    hashes = {rs.hash for rs in obs.replica_sets}
    return obs.spec.routed_by.in_force_bp(obs.live, canary, hashes)


def _hash_of(obs: Observation) -> str | None:
    if obs.canary is None:
        return None
    return next((rs.hash for rs in obs.owned_by(obs.canary.uid) if rs.wanted_count), None)


def _dated(
    condition: Condition, earlier: Condition | None, generation: int, now: Instant
) -> Condition:
    same = earlier is not None and earlier.status == condition.status
    # On the wire a condition knows whole seconds.
    since = earlier.since_ms if same and earlier is not None else now - now % 1000
    message = condition.message[:MESSAGE_LENGTH_MAX]
    return msgspec.structs.replace(
        condition, since_ms=since, generation=generation, message=message
    )
