"""What a release is: what its owner wants (`Spec`) and what must be remembered (`Status`).

Status holds only what cannot be read back from the cluster. Instants are stored, not durations.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

import msgspec

from serinus.clock import Instant
from serinus.traffic import registry
from serinus.traffic.router import Mode, Router


class Phase(enum.Enum):
    """Where a release stands, in one word."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    PROMOTING = "Promoting"
    ABORTING = "Aborting"
    ABORTED = "Aborted"
    DEGRADED = "Degraded"

    @property
    def at_rest(self) -> bool:
        """Tell whether nothing moves and nothing will without a person or a new template."""
        return self in (Phase.HEALTHY, Phase.ABORTED, Phase.DEGRADED)


class SetWeight(msgspec.Struct, frozen=True):
    """Give the canary a share of the requests."""

    weight_bp: int


class Pause(msgspec.Struct, frozen=True):
    """Stay for a while, or (None) until a person says go on."""

    duration_ms: int | None = None


Step: TypeAlias = SetWeight | Pause


class Promotion(enum.Enum):
    """How the new revision becomes the stable one."""

    ADOPT = "Adopt"
    """The stable Deployment takes over the canary's pods: no pod is started."""
    ROLLING_UPDATE = "RollingUpdate"
    """The stable Deployment rolls out by itself, then the canary goes."""


class Spec(msgspec.Struct, frozen=True):
    """What the owner of a release asked for."""

    target: str
    service: str
    router: str = "ReplicaRatio"
    router_options: registry.Options | None = None
    mode: Mode = Mode.SURGE
    settle_ms: int = 2_000
    allow_coarse: bool = False
    allow_recreate: bool = False
    allow_autoscaler: bool = False
    steps: tuple[Step, ...] = ()
    promotion: Promotion = Promotion.ADOPT
    undo_window_ms: int = 0
    abort_on_deadline: bool = True
    paused: bool = False

    @property
    def routed_by(self) -> Router:
        """Return the router, as its owner wants it."""
        return registry.router(self.router, self.router_options)

    @property
    def has_rules(self) -> bool:
        """Tell whether requests are also told apart by what they say, or copied."""
        options = self.router_options
        return options is not None and bool(options.rules or options.mirror)


class CommandVerb(enum.Enum):
    """What a person can ask of a release."""

    PROMOTE = "promote"
    ABORT = "abort"
    PAUSE = "pause"
    RESUME = "resume"
    SKIP = "skip"
    RETRY = "retry"
    UNDO = "undo"
    SET_WEIGHT = "set-weight"


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request of a person: applied at most once, and only to the revision it names."""

    id: str
    verb: CommandVerb
    revision: str
    step_index: int | None = None
    weight_bp: int | None = None
    full: bool = False
    """With promote: from any moment of the trial on, and without the undo window."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a command."""

    id: str
    verb: CommandVerb
    accepted: bool
    message: str = ""


class Shown(msgspec.Struct, frozen=True):
    """Since when the cluster shows a route: proxies follow it within `settle_ms`."""

    route: str
    since_ms: Instant


class Progress(msgspec.Struct, frozen=True):
    """How far the pods got, and until when they must get further."""

    available_count: int
    wanted_count: int
    deadline_ms: Instant


class Waiting(msgspec.Struct, frozen=True):
    """What the release waits for, and since when."""

    reason: str
    message: str
    since_ms: Instant


class Ended(msgspec.Struct, frozen=True):
    """One finished release."""

    revision: str
    outcome: str
    started_ms: Instant
    ended_ms: Instant
    message: str = ""


class Status(msgspec.Struct, frozen=True):
    """What cannot be read back from the cluster."""

    phase: Phase = Phase.HEALTHY
    message: str = ""
    revision: str = ""
    """Fingerprint of the template on trial (see `revision.fingerprint`)."""
    generation: int = 0
    """The Deployment's generation when `revision` was last seen to be its template."""
    target_uid: str = ""
    """Which Deployment of that name it was; generation and counts of another say nothing."""
    step_index: int = 0
    weight_bp: int = 0
    weight_asked_bp: int | None = None
    """A weight that a person set; it stands until the next step."""
    stable_hash: str = ""
    canary_hash: str = ""
    promotion: Promotion | None = None
    """How this release ends, once that is decided."""
    promote_full: bool = False
    """Whether a person asked for the promotion with no step, pause or undo window before it."""
    held_by_person: bool = False
    pause_until_ms: Instant | None = None
    undo_until_ms: Instant | None = None
    shown: Shown | None = None
    progress: Progress | None = None
    full_replica_count: int | None = None
    """N while stable is scaled below it (Constant mode)."""
    stable_replica_count: int | None = None
    """What we last scaled stable to (Constant mode); another figure is a person's new N."""
    stable_previous_count: int | None = None
    """What it was before: it still is where that write was refused, or a crash came first."""
    started_ms: Instant | None = None
    landing_since_ms: Instant | None = None
    waiting: Waiting | None = None
    last_command: Outcome | None = None
    history: tuple[Ended, ...] = ()


HISTORY_COUNT_MAX = 10
