"""A decision in the making: stages add to it and hand it on. Lives for one call of `decide`."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from serinus.clock import Instant
from serinus.errors import InvariantViolation
from serinus.release.decision import Action, Decision, Note, Reason, Severity
from serinus.release.model import HISTORY_COUNT_MAX, Ended, Phase, Status, Waiting
from serinus.release.observation import Canary, Observation, ReplicaSet, Target
from serinus.release.stages.route import Route
from serinus.release.stages.stage import View

_T = TypeVar("_T")


def _there(found: _T | None, what: str) -> _T:
    if found is None:
        raise InvariantViolation(f"a stage that needs the {what} was entered without it")
    return found


class Draft:
    """Collect status changes, actions and notes for one observation."""

    def __init__(self, obs: Observation, view: View, now: Instant) -> None:
        self.obs = obs
        self.view = view
        self.now = now
        self.status: Status = msgspec.structs.replace(obs.status, waiting=None)
        self._actions: list[Action] = []
        self._notes: list[Note] = []
        self._wake_at: Instant | None = None
        self.gone = False
        """Whether nothing of ours is left."""

    @property
    def target(self) -> Target:
        """Return the user's Deployment; the stage says that it is there."""
        return _there(self.obs.target, "Deployment")

    @property
    def canary(self) -> Canary:
        """Return the canary Deployment; the stage says that it is there."""
        return _there(self.obs.canary, "canary Deployment")

    @property
    def stable(self) -> ReplicaSet:
        """Return the revision to protect; the stage says that it runs."""
        return _there(self.view.stable, "stable ReplicaSet")

    @property
    def landed(self) -> ReplicaSet:
        """Return the ReplicaSet that runs the template; the stage says that it does."""
        return _there(self.view.landed, "ReplicaSet of the template")

    @property
    def acts(self) -> bool:
        """Whether anything is to be done."""
        return bool(self._actions)

    def set(self, **changes: Any) -> None:
        """Replace fields of the status."""
        self.status = msgspec.structs.replace(self.status, **changes)

    def remember_target(self) -> None:
        """Remember which template, of which Deployment, the status speaks of."""
        target = self.target
        if self.status.target_uid not in ("", target.uid):
            # What the one before was scaled to is no figure of ours here.
            self.set(full_replica_count=None, stable_replica_count=None, stable_previous_count=None)
        self.set(revision=target.template, generation=target.generation, target_uid=target.uid)

    def act(self, *actions: Action) -> None:
        """Add actions behind those there are."""
        self._actions.extend(actions)

    def note(self, reason: Reason, message: str, severity: Severity = Severity.NORMAL) -> None:
        """Tell people one thing."""
        self._notes.append(Note(reason, message, severity))

    def warn(self, reason: Reason, message: str) -> None:
        """Tell people one thing, loudly."""
        self.note(reason, message, Severity.WARNING)

    def wake(self, at: Instant | None) -> None:
        """Look again no later than `at`."""
        if at is not None and (self._wake_at is None or at < self._wake_at):
            self._wake_at = at

    def wait(self, reason: Reason, message: str) -> None:
        """Say what the release waits for; the first word of a decision stands."""
        if self.status.waiting is not None:
            return
        before = self.obs.status.waiting
        since = before.since_ms if before and before.reason == reason.value else self.now
        self.set(waiting=Waiting(reason.value, message, since))

    def follow(self, route: Route) -> bool:
        """Take over what a route needs; return whether it is in force."""
        self.set(shown=route.shown)
        self.act(*route.actions)
        self.wake(route.wake_at)
        if route.waiting is not None:
            self.wait(Reason(route.waiting.reason), route.waiting.message)
        return route.in_force

    def close(self, outcome: str, message: str) -> None:
        """Enter the release that ran, if one did, into the history."""
        if self.status.started_ms is None:
            return
        ended = Ended(
            revision=self.status.revision,
            outcome=outcome,
            started_ms=self.status.started_ms,
            ended_ms=self.now,
            message=message,
        )
        history = (*self.status.history, ended)[-HISTORY_COUNT_MAX:]
        self.set(history=history, started_ms=None)

    def end(self, phase: Phase, outcome: str, message: str) -> None:
        """Close the release that ran, if one did, and forget what only it needed."""
        self.close(outcome, message)
        self.status = Status(
            phase=phase,
            message=message,
            revision=self.status.revision,
            generation=self.status.generation,
            target_uid=self.status.target_uid,
            stable_hash=self.status.stable_hash,
            shown=self.status.shown,
            last_command=self.status.last_command,
            history=self.status.history,
        )

    def decision(self) -> Decision:
        """Return what was collected."""
        return Decision(
            self.status, tuple(self._actions), tuple(self._notes), self._wake_at, self.gone
        )
