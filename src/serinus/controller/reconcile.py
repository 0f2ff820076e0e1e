"""One round: load, observe, decide, save, act. May be run at any time, twice, after any crash."""

from __future__ import annotations

import msgspec

from serinus.api.codec import with_command
from serinus.clock import Instant
from serinus.controller.act import act
from serinus.controller.observe import leftover, observe
from serinus.controller.ports import Cluster
from serinus.errors import Conflict, NotFound
from serinus.release.conditions import outlook
from serinus.release.decide import decide
from serinus.release.decision import Decision
from serinus.release.model import Command, Status
from serinus.release.observation import Observation
from serinus.release.stages.stage import is_behind
from serinus.traffic.write import Write


class Round(msgspec.Struct, frozen=True):
    """What one round saw, decided and sent."""

    observation: Observation
    decision: Decision
    sent: tuple[Write, ...]
    unshown: bool = False
    """Whether the record does not show yet what it could, though it has all it must remember."""

    @property
    def at_rest(self) -> bool:
        """Tell whether nothing is under way until a person or a new template starts something."""
        decision = self.decision
        return decision.status.phase.at_rest and not decision.actions and decision.wake_at is None


async def foresee(cluster: Cluster, name: str, now: Instant) -> Round:
    """Return the round that a driver would play now, without playing it.

    Raises:
        NotFound: there is no record.
    """
    stored = await cluster.load(name)
    if stored is None:
        raise NotFound(f"there is no record of a release called {name}")
    seen = observe(stored.release, await cluster.read(stored.release.spec))
    decision = decide(seen.observation, now)
    # What is told is what the driver has saved; its notes are the driver's own.
    waiting = stored.release.status.waiting
    status = msgspec.structs.replace(decision.status, waiting=waiting)
    return Round(
        seen.observation, msgspec.structs.replace(decision, status=status, notes=()), sent=()
    )


async def reconcile(
    cluster: Cluster,
    name: str,
    now: Instant,
    *,
    command: Command | None = None,
    show: bool = True,
) -> Round:
    """Take the next step of one release.

    Without `show` what is only for people to read is not written for its own sake. A driver may
    bring a `command` of its own, which is then not in the record before its answer is.

    The status is saved before anything is done: a deadline or an answered command that was acted
    on is never forgotten, and every action may be repeated.

    Raises:
        ClusterError: something was not done; call again.
        InvariantViolation: the decision would have hurt somebody; nothing was written.
    """
    stored = await cluster.load(name)
    if stored is None:
        raise NotFound(f"there is no record of a release called {name}")
    release = stored.release
    last = release.status.last_command
    if command is not None and (last is None or last.id != command.id):
        release = with_command(release, command)
    seen = observe(release, await cluster.read(release.spec))
    if is_behind(seen.observation):
        raise Conflict(f"Deployment {release.spec.target} is seen older than its record knows it")
    decision = decide(seen.observation, now)
    shown = outlook(
        seen.observation, decision, release.outlook, generation=release.generation, now=now
    )
    changed = (decision.status, shown) != (release.status, release.outlook)
    news = remembered(decision.status) != remembered(release.status)
    if news or (changed and show):
        saved = msgspec.structs.replace(release, status=decision.status, outlook=shown)
        await cluster.save(msgspec.structs.replace(stored, release=saved))
    sent = await act(cluster, release.spec, decision, seen.objects)
    if decision.gone:
        left = leftover(release, await cluster.current(release.spec))
        if left:
            raise Conflict(f"{left} is still there, and the caches do not show it")
        await cluster.forget(name)
    unshown = changed and not news and not show
    return Round(seen.observation, decision, tuple(sent), unshown)


def remembered(status: Status) -> Status:
    """Return the part of a status that must survive a crash; the rest is seen again."""
    return msgspec.structs.replace(status, waiting=None, progress=None, canary_hash="")
