"""What a decision consists of: status, ordered actions, notes, and when to look again."""

from __future__ import annotations

import enum
from typing import TypeAlias

import msgspec

from serinus.clock import Instant
from serinus.release.model import Status
from serinus.traffic.plan import TrafficPlan


class Reason(enum.Enum):
    """Why something happened: a closed list, each documented in docs/reference/reasons.md."""

    HELD = "Held"
    STARTED = "Started"
    CANARY_CREATED = "CanaryCreated"
    CANARY_SCALED = "CanaryScaled"
    STABLE_SCALED = "StableScaled"
    STEP_COMPLETED = "StepCompleted"
    PAUSED = "Paused"
    RESUMED = "Resumed"
    WIDENED = "Widened"
    PROMOTING = "Promoting"
    ADOPTING = "Adopting"
    ADOPTION_NOT_POSSIBLE = "AdoptionNotPossible"
    ROLLING_UPDATE = "RollingUpdate"
    PROMOTED = "Promoted"
    ABORTING = "Aborting"
    ABORTED = "Aborted"
    DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    TARGET_CHANGED = "TargetChanged"
    TARGET_RESTORED = "TargetRestored"
    TWIN_DELETED = "TwinDeleted"
    BYPASSED = "Bypassed"
    LET_OUT = "LetOut"
    MIXED = "MixedRevisions"
    LEAVING = "Leaving"
    LEFT = "Left"
    REFUSED = "Refused"
    COMMAND_REFUSED = "CommandRefused"
    TARGET_MISSING = "TargetMissing"
    TEMPLATE_REWRITTEN = "TemplateRewritten"
    STABLE_NOT_READY = "StableNotReady"
    WAITING_FOR_PODS = "WaitingForPods"
    WAITING_FOR_ROUTE = "WaitingForRoute"
    WAITING_FOR_SETTLE = "WaitingForSettle"
    WAITING_FOR_PAUSE = "WaitingForPause"
    WAITING_FOR_PERSON = "WaitingForPerson"
    WAITING_FOR_UNDO_WINDOW = "WaitingForUndoWindow"
    WAITING_FOR_ADOPTION = "WaitingForAdoption"
    WAITING_FOR_OLD_PODS = "WaitingForOldPods"
    WAITING_FOR_ROLLOUT = "WaitingForRollout"
    WAITING_FOR_CLEANUP = "WaitingForCleanup"


class Severity(enum.Enum):
    """How loudly to tell."""

    NORMAL = "Normal"
    WARNING = "Warning"


class Note(msgspec.Struct, frozen=True):
    """One thing worth telling people."""

    reason: Reason
    message: str
    severity: Severity = Severity.NORMAL


class SetTraffic(msgspec.Struct, frozen=True):
    """Write the route that the plan asks for."""

    plan: TrafficPlan


class RestoreRoute(msgspec.Struct, frozen=True):
    """Leave the route as it was before any release."""


class Hold(msgspec.Struct, frozen=True):
    """Keep a changed template from rolling out by itself."""


class Guard(msgspec.Struct, frozen=True):
    """Let the admission policy hold the next template, and lift the hold of the last one."""


class LetGo(msgspec.Struct, frozen=True):
    """Take our mark off the Deployment, and lift the hold unless it has a template to keep."""

    lift: bool


class Resume(msgspec.Struct, frozen=True):
    """Let the Deployment controller roll its template out."""


class CreateCanary(msgspec.Struct, frozen=True):
    """Create the canary Deployment with the target's template."""

    replica_count: int


class ScaleCanary(msgspec.Struct, frozen=True):
    """Give the canary this many pods."""

    replica_count: int


class ScaleStable(msgspec.Struct, frozen=True):
    """Give the user's own Deployment this many pods (Constant mode)."""

    replica_count: int


class OrphanCanary(msgspec.Struct, frozen=True):
    """Delete the canary Deployment and leave its pods to the stable one: irrevocable."""


class DeleteCanary(msgspec.Struct, frozen=True):
    """Delete the canary Deployment with its pods."""


class DeleteReplicaSet(msgspec.Struct, frozen=True):
    """Delete an empty ReplicaSet that would be taken for the new one."""

    name: str


class EmptyReplicaSet(msgspec.Struct, frozen=True):
    """Scale an old ReplicaSet to nothing."""

    name: str


class SetTemplate(msgspec.Struct, frozen=True):
    """Set the Deployment's template back to that of one of its ReplicaSets."""

    replica_set: str


Action: TypeAlias = (
    SetTraffic
    | RestoreRoute
    | Hold
    | Guard
    | LetGo
    | Resume
    | CreateCanary
    | ScaleCanary
    | ScaleStable
    | OrphanCanary
    | DeleteCanary
    | DeleteReplicaSet
    | EmptyReplicaSet
    | SetTemplate
)


class Decision(msgspec.Struct, frozen=True):
    """What to do now. `actions` are idempotent and ordered: stop at the first that fails.

    `wake_at` is None only when nothing but a change of the world can matter.
    """

    status: Status
    actions: tuple[Action, ...] = ()
    notes: tuple[Note, ...] = ()
    wake_at: Instant | None = None
    gone: bool = False
    """Nothing of ours is left: the record may go."""
